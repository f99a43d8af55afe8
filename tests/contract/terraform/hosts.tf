# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later

data "aws_ssm_parameter" "image" {
  name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
}

resource "aws_key_pair" "main" {
  key_name   = "terraform"
  public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE9Pb0JrS1hZ2m1Cw2yY8L8m0oXG0O2vT7M4Jt7vQm1x terraform"
  tags       = { Name = local.word }
}

resource "aws_iam_role" "host" {
  name = "host"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
  })
  max_session_duration = var.changed ? 7200 : 3600
}

resource "aws_iam_policy" "host" {
  name = "host"
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = var.changed ? "ec2:Describe*" : "ec2:DescribeVpcs", Resource = "*" }]
  })
}

resource "aws_iam_role_policy_attachment" "host" {
  role       = aws_iam_role.host.name
  policy_arn = aws_iam_policy.host.arn
}

resource "aws_iam_role_policy_attachment" "core" {
  role       = aws_iam_role.host.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
}

resource "aws_iam_instance_profile" "host" {
  name = "host"
  role = aws_iam_role.host.name
}

resource "aws_instance" "web" {
  ami                         = data.aws_ssm_parameter.image.insecure_value
  instance_type               = "t3.micro"
  subnet_id                   = aws_subnet.public[0].id
  vpc_security_group_ids      = var.changed ? [aws_security_group.by_rule.id] : [aws_security_group.inline.id]
  key_name                    = aws_key_pair.main.key_name
  iam_instance_profile        = aws_iam_instance_profile.host.name
  associate_public_ip_address = true
  disable_api_termination     = false
  monitoring                  = var.changed
  source_dest_check           = !var.changed
  user_data                   = "#!/bin/sh\ntrue\n"
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = var.changed ? "required" : "optional"
    http_put_response_hop_limit = 2
    instance_metadata_tags      = "enabled"
  }
  credit_specification { cpu_credits = var.changed ? "standard" : "unlimited" }
  root_block_device {
    volume_size = 8
    volume_type = "gp3"
    encrypted   = false
    tags        = { Name = "root" }
  }
  tags = { Name = "web-${local.word}" }
}

resource "aws_network_interface" "appliance" {
  subnet_id         = aws_subnet.private[0].id
  security_groups   = [aws_security_group.inline.id]
  private_ips       = var.changed ? ["10.0.64.50", "10.0.64.51"] : ["10.0.64.50"]
  source_dest_check = false
  description       = local.word
  tags              = { Name = local.word }
}

resource "aws_network_interface" "second" {
  subnet_id       = aws_subnet.public[0].id
  security_groups = [aws_security_group.inline.id]
  # The attachments below add to them.
  lifecycle { ignore_changes = [security_groups] }
}

resource "aws_network_interface_attachment" "second" {
  instance_id          = aws_instance.web.id
  network_interface_id = aws_network_interface.second.id
  device_index         = 1
}

resource "aws_network_interface_sg_attachment" "second" {
  security_group_id    = aws_security_group.by_vpc_rule.id
  network_interface_id = aws_network_interface.second.id
}

resource "aws_eip" "web" {
  domain = "vpc"
}

resource "aws_eip_association" "second" {
  allocation_id        = aws_eip.web.id
  network_interface_id = aws_network_interface.second.id
  depends_on           = [aws_network_interface_attachment.second]
}

resource "aws_launch_template" "web" {
  name                   = "web"
  image_id               = data.aws_ssm_parameter.image.insecure_value
  instance_type          = var.changed ? "t3.small" : "t3.micro"
  update_default_version = true
  network_interfaces {
    subnet_id                   = aws_subnet.private[1].id
    security_groups             = [aws_security_group.inline.id]
    associate_public_ip_address = false
  }
  tag_specifications {
    resource_type = "network-interface"
    tags          = { Name = "from-template" }
  }
  tags = { Name = local.word }
}

resource "aws_instance" "from_template" {
  launch_template {
    id      = aws_launch_template.web.id
    version = "1"
  }
}
