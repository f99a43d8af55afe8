# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later

resource "aws_vpc_endpoint" "s3" {
  vpc_id       = aws_vpc.main.id
  service_name = "com.amazonaws.us-east-1.s3"
  tags         = { Name = local.word }
}

resource "aws_vpc_endpoint_route_table_association" "s3" {
  vpc_endpoint_id = aws_vpc_endpoint.s3.id
  route_table_id  = aws_route_table.private.id
}

resource "aws_vpc_endpoint" "dynamodb" {
  vpc_id          = aws_vpc.main.id
  service_name    = "com.amazonaws.us-east-1.dynamodb"
  route_table_ids = var.changed ? [aws_route_table.public.id] : [aws_route_table.private.id]
}

resource "aws_vpc_endpoint_policy" "dynamodb" {
  vpc_endpoint_id = aws_vpc_endpoint.dynamodb.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = "*", Action = var.changed ? "dynamodb:*" : "dynamodb:GetItem", Resource = "*" }]
  })
}

resource "aws_vpc_endpoint" "ssm" {
  vpc_id              = aws_vpc.main.id
  service_name        = "com.amazonaws.us-east-1.ssm"
  vpc_endpoint_type   = "Interface"
  subnet_ids          = var.changed ? aws_subnet.private[*].id : [aws_subnet.private[0].id]
  security_group_ids  = [aws_security_group.inline.id]
  private_dns_enabled = !var.changed
  tags                = { Name = local.word }
}

resource "aws_vpc_endpoint" "logs" {
  vpc_id            = aws_vpc.main.id
  service_name      = "com.amazonaws.us-east-1.logs"
  vpc_endpoint_type = "Interface"
}

# The provider itself waits a minute after each change of this one.
resource "aws_vpc_endpoint_subnet_association" "logs" {
  count           = var.slow ? 1 : 0
  vpc_endpoint_id = aws_vpc_endpoint.logs.id
  subnet_id       = aws_subnet.private[1].id
}

resource "aws_vpc_endpoint_security_group_association" "logs" {
  vpc_endpoint_id   = aws_vpc_endpoint.logs.id
  security_group_id = aws_security_group.inline.id
}

resource "aws_cloudwatch_log_group" "flows" {
  name              = "/flows"
  retention_in_days = var.changed ? 7 : 3
}

resource "aws_iam_role" "flows" {
  name        = "flows"
  description = local.word
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "vpc-flow-logs.amazonaws.com" } }]
  })
  tags = { Name = local.word }
}

resource "aws_iam_role_policy" "flows" {
  name = "flows"
  role = aws_iam_role.flows.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogGroups", "logs:DescribeLogStreams"]
      Resource = "*"
    }]
  })
}

resource "aws_flow_log" "main" {
  vpc_id                   = aws_vpc.main.id
  traffic_type             = "ALL"
  log_destination          = aws_cloudwatch_log_group.flows.arn
  iam_role_arn             = aws_iam_role.flows.arn
  max_aggregation_interval = 60
  tags                     = { Name = local.word }
}

resource "aws_route53_zone" "private" {
  name    = "example.internal"
  comment = local.word
  vpc { vpc_id = aws_vpc.main.id }
  lifecycle { ignore_changes = [vpc] }
}

resource "aws_route53_zone_association" "peer" {
  zone_id = aws_route53_zone.private.zone_id
  vpc_id  = aws_vpc.peer.id
}

resource "aws_route53_vpc_association_authorization" "other" {
  zone_id = aws_route53_zone.private.zone_id
  vpc_id  = aws_vpc.other.id
}

resource "aws_route53_zone_association" "other" {
  provider = aws.other
  zone_id  = aws_route53_vpc_association_authorization.other.zone_id
  vpc_id   = aws_route53_vpc_association_authorization.other.vpc_id
}

resource "aws_route53_record" "web" {
  zone_id = aws_route53_zone.private.zone_id
  name    = "web.example.internal"
  type    = "A"
  ttl     = var.changed ? 60 : 300
  records = [aws_instance.web.private_ip]
}

resource "aws_ssm_parameter" "word" {
  name        = "/terraform/word"
  type        = "String"
  value       = local.word
  description = local.word
}

resource "aws_ssm_parameter" "secret" {
  name  = "/terraform/secret"
  type  = "SecureString"
  value = local.word
}
