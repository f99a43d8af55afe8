# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later

locals {
  word = var.changed ? "changed" : "first"
}

data "aws_caller_identity" "main" {}
data "aws_caller_identity" "other" { provider = aws.other }
data "aws_region" "main" {}
data "aws_partition" "main" {}
data "aws_availability_zones" "main" { state = "available" }

resource "aws_vpc" "main" {
  cidr_block                           = "10.0.0.0/16"
  assign_generated_ipv6_cidr_block     = true
  enable_dns_support                   = true
  enable_dns_hostnames                 = true
  enable_network_address_usage_metrics = var.changed
  tags                                 = { Name = "main-${local.word}" }
}

resource "aws_vpc_ipv4_cidr_block_association" "second" {
  vpc_id     = aws_vpc.main.id
  cidr_block = "10.10.0.0/16"
}

resource "aws_vpc_dhcp_options" "main" {
  domain_name         = "example.internal"
  domain_name_servers = ["AmazonProvidedDNS"]
  ntp_servers         = ["169.254.169.123"]
  netbios_node_type   = 2
  tags                = { Name = local.word }
}

resource "aws_vpc_dhcp_options_association" "main" {
  vpc_id          = aws_vpc.main.id
  dhcp_options_id = aws_vpc_dhcp_options.main.id
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id
  tags   = { Name = local.word }
}

resource "aws_egress_only_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id
  tags   = { Name = local.word }
}

resource "aws_subnet" "public" {
  count                                          = 2
  vpc_id                                         = aws_vpc.main.id
  availability_zone                              = data.aws_availability_zones.main.names[count.index]
  cidr_block                                     = cidrsubnet("10.0.0.0/20", 4, count.index)
  ipv6_cidr_block                                = cidrsubnet(aws_vpc.main.ipv6_cidr_block, 8, count.index)
  map_public_ip_on_launch                        = !var.changed
  assign_ipv6_address_on_creation                = var.changed
  enable_resource_name_dns_a_record_on_launch    = var.changed
  enable_resource_name_dns_aaaa_record_on_launch = var.changed
  private_dns_hostname_type_on_launch            = var.changed ? "resource-name" : "ip-name"
  tags                                           = { Name = "public-${count.index}-${local.word}" }
}

resource "aws_subnet" "private" {
  count             = 2
  vpc_id            = aws_vpc.main.id
  availability_zone = data.aws_availability_zones.main.names[count.index]
  cidr_block        = cidrsubnet("10.0.64.0/20", 4, count.index)
  tags              = { Name = "private-${count.index}" }
}

resource "aws_subnet" "second" {
  vpc_id            = aws_vpc_ipv4_cidr_block_association.second.vpc_id
  availability_zone = data.aws_availability_zones.main.names[0]
  cidr_block        = "10.10.1.0/24"
}

resource "aws_eip" "nat" {
  domain     = "vpc"
  tags       = { Name = local.word }
  depends_on = [aws_internet_gateway.main]
}

resource "aws_nat_gateway" "public" {
  allocation_id = aws_eip.nat.id
  subnet_id     = aws_subnet.public[0].id
  tags          = { Name = local.word }
}

resource "aws_nat_gateway" "private" {
  connectivity_type = "private"
  subnet_id         = aws_subnet.private[0].id
  tags              = { Name = local.word }
}

resource "aws_default_route_table" "main" {
  default_route_table_id = aws_vpc.main.default_route_table_id
  route {
    cidr_block = "192.0.2.0/24"
    gateway_id = aws_internet_gateway.main.id
  }
  tags = { Name = "default-${local.word}" }
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.main.id
  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.main.id
  }
  route {
    ipv6_cidr_block = "::/0"
    gateway_id      = aws_internet_gateway.main.id
  }
  dynamic "route" {
    for_each = var.changed ? [1] : []
    content {
      cidr_block                = "10.2.0.0/16"
      vpc_peering_connection_id = aws_vpc_peering_connection.regions.id
    }
  }
  tags = { Name = local.word }
}

resource "aws_route_table" "private" {
  vpc_id = aws_vpc.main.id
  tags   = { Name = local.word }
}

resource "aws_route" "nat" {
  route_table_id         = aws_route_table.private.id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = var.changed ? aws_nat_gateway.private.id : aws_nat_gateway.public.id
}

resource "aws_route" "egress_only" {
  route_table_id              = aws_route_table.private.id
  destination_ipv6_cidr_block = "::/0"
  egress_only_gateway_id      = aws_egress_only_internet_gateway.main.id
}

resource "aws_route" "peer" {
  route_table_id            = aws_route_table.private.id
  destination_cidr_block    = aws_vpc.peer.cidr_block
  vpc_peering_connection_id = aws_vpc_peering_connection.here.id
}

resource "aws_route" "accounts" {
  route_table_id             = aws_route_table.private.id
  destination_prefix_list_id = aws_ec2_managed_prefix_list.other.id
  vpc_peering_connection_id  = aws_vpc_peering_connection_accepter.accounts.vpc_peering_connection_id
}

resource "aws_route" "interface" {
  route_table_id         = aws_route_table.private.id
  destination_cidr_block = "198.51.100.0/24"
  network_interface_id   = aws_network_interface.appliance.id
}

resource "aws_route_table_association" "public" {
  count          = 2
  subnet_id      = aws_subnet.public[count.index].id
  route_table_id = aws_route_table.public.id
}

resource "aws_route_table_association" "private" {
  count          = 2
  subnet_id      = aws_subnet.private[count.index].id
  route_table_id = var.changed ? aws_route_table.public.id : aws_route_table.private.id
}

resource "aws_route_table" "edge" {
  vpc_id = aws_vpc.main.id
}

resource "aws_route_table_association" "edge" {
  gateway_id     = aws_internet_gateway.main.id
  route_table_id = aws_route_table.edge.id
}

resource "aws_route_table" "instead_of_main" {
  vpc_id = aws_vpc.peer.id
}

resource "aws_main_route_table_association" "peer" {
  vpc_id         = aws_vpc.peer.id
  route_table_id = aws_route_table.instead_of_main.id
}

resource "aws_ec2_managed_prefix_list" "other" {
  name           = "other-${local.word}"
  address_family = "IPv4"
  max_entries    = 5
  entry {
    cidr        = aws_vpc.other.cidr_block
    description = "the other account"
  }
  dynamic "entry" {
    for_each = var.changed ? ["10.4.0.0/16"] : []
    content { cidr = entry.value }
  }
  tags = { Name = local.word }
}

resource "aws_ec2_managed_prefix_list" "offices" {
  name           = "offices"
  address_family = "IPv4"
  max_entries    = 5
}

resource "aws_ec2_managed_prefix_list_entry" "office" {
  prefix_list_id = aws_ec2_managed_prefix_list.offices.id
  cidr           = "203.0.113.0/24"
  description    = "office"
}

resource "aws_default_network_acl" "main" {
  default_network_acl_id = aws_vpc.main.default_network_acl_id
  ingress {
    protocol   = -1
    rule_no    = 100
    action     = "allow"
    cidr_block = "0.0.0.0/0"
    from_port  = 0
    to_port    = 0
  }
  egress {
    protocol   = -1
    rule_no    = var.changed ? 110 : 100
    action     = "allow"
    cidr_block = "0.0.0.0/0"
    from_port  = 0
    to_port    = 0
  }
  lifecycle { ignore_changes = [subnet_ids] }
}

resource "aws_network_acl" "private" {
  vpc_id     = aws_vpc.main.id
  subnet_ids = aws_subnet.private[*].id
  ingress {
    protocol   = "tcp"
    rule_no    = 100
    action     = "allow"
    cidr_block = "10.0.0.0/8"
    from_port  = 443
    to_port    = var.changed ? 444 : 443
  }
  egress {
    protocol        = "-1"
    rule_no         = 200
    action          = "allow"
    ipv6_cidr_block = "::/0"
    from_port       = 0
    to_port         = 0
  }
  tags = { Name = local.word }
}

resource "aws_network_acl" "by_rules" {
  vpc_id = aws_vpc.main.id
}

resource "aws_network_acl_rule" "ping" {
  network_acl_id = aws_network_acl.by_rules.id
  rule_number    = 100
  egress         = false
  protocol       = "icmp"
  rule_action    = "allow"
  cidr_block     = "10.0.0.0/8"
  icmp_type      = 8
  icmp_code      = -1
}

resource "aws_network_acl_association" "second" {
  network_acl_id = aws_network_acl.by_rules.id
  subnet_id      = aws_subnet.second.id
}
