# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Security groups in each of the provider's three styles.

resource "aws_default_security_group" "main" {
  vpc_id = aws_vpc.main.id
}

resource "aws_security_group" "inline" {
  name        = "inline"
  description = "rules inside"
  vpc_id      = aws_vpc.main.id
  ingress {
    description = local.word
    protocol    = "tcp"
    from_port   = 443
    to_port     = var.changed ? 444 : 443
    cidr_blocks = ["10.0.0.0/8", "192.168.0.0/16"]
  }
  ingress {
    protocol         = "icmpv6"
    from_port        = -1
    to_port          = -1
    ipv6_cidr_blocks = ["::/0"]
  }
  ingress {
    protocol  = "tcp"
    from_port = 22
    to_port   = 22
    self      = true
  }
  egress {
    protocol    = "-1"
    from_port   = 0
    to_port     = 0
    cidr_blocks = ["0.0.0.0/0"]
  }
  tags = { Name = local.word }
}

resource "aws_security_group" "by_rule" {
  name_prefix = "by-rule-"
  vpc_id      = aws_vpc.main.id
}

resource "aws_security_group_rule" "cidr" {
  security_group_id = aws_security_group.by_rule.id
  type              = "ingress"
  protocol          = "udp"
  from_port         = 53
  to_port           = 53
  cidr_blocks       = ["10.0.0.0/16"]
  description       = local.word
}

resource "aws_security_group_rule" "group" {
  security_group_id        = aws_security_group.by_rule.id
  type                     = "ingress"
  protocol                 = "tcp"
  from_port                = 8080
  to_port                  = 8090
  source_security_group_id = aws_security_group.inline.id
}

resource "aws_security_group_rule" "list" {
  security_group_id = aws_security_group.by_rule.id
  type              = "egress"
  protocol          = "tcp"
  from_port         = 443
  to_port           = 443
  prefix_list_ids   = [aws_ec2_managed_prefix_list.offices.id]
}

resource "aws_security_group" "by_vpc_rule" {
  name   = "by-vpc-rule"
  vpc_id = aws_vpc.main.id
}

resource "aws_vpc_security_group_ingress_rule" "cidr" {
  security_group_id = aws_security_group.by_vpc_rule.id
  ip_protocol       = "tcp"
  from_port         = var.changed ? 8443 : 443
  to_port           = var.changed ? 8443 : 443
  cidr_ipv4         = "10.0.0.0/16"
  description       = local.word
  tags              = { Name = local.word }
}

resource "aws_vpc_security_group_ingress_rule" "peer_group" {
  security_group_id            = aws_security_group.by_vpc_rule.id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
  referenced_security_group_id = "${data.aws_caller_identity.other.account_id}/${aws_security_group.other.id}"
  depends_on                   = [aws_vpc_peering_connection_accepter.accounts]
}

resource "aws_vpc_security_group_egress_rule" "ipv6" {
  security_group_id = aws_security_group.by_vpc_rule.id
  ip_protocol       = "-1"
  cidr_ipv6         = "::/0"
}

resource "aws_security_group" "other" {
  provider = aws.other
  name     = "other"
  vpc_id   = aws_vpc.other.id
}
