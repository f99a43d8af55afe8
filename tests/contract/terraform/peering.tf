# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later

resource "aws_vpc" "peer" {
  cidr_block           = "10.1.0.0/16"
  enable_dns_hostnames = true
}

resource "aws_vpc" "west" {
  provider             = aws.west
  cidr_block           = "10.2.0.0/16"
  enable_dns_hostnames = true
}

resource "aws_vpc" "other" {
  provider             = aws.other
  cidr_block           = "10.3.0.0/16"
  enable_dns_hostnames = true
}

# One account, one Region.
resource "aws_vpc_peering_connection" "here" {
  # While a request is pending, its requester adds no block.
  depends_on  = [aws_vpc_ipv4_cidr_block_association.second]
  vpc_id      = aws_vpc.main.id
  peer_vpc_id = aws_vpc.peer.id
  auto_accept = true
  requester { allow_remote_vpc_dns_resolution = true }
  accepter { allow_remote_vpc_dns_resolution = var.changed }
  tags = { Name = local.word }
}

# One account, two Regions.
resource "aws_vpc_peering_connection" "regions" {
  depends_on  = [aws_vpc_ipv4_cidr_block_association.second]
  vpc_id      = aws_vpc.main.id
  peer_vpc_id = aws_vpc.west.id
  peer_region = "us-west-2"
  tags        = { Name = local.word }
}

resource "aws_vpc_peering_connection_accepter" "regions" {
  provider                  = aws.west
  vpc_peering_connection_id = aws_vpc_peering_connection.regions.id
  auto_accept               = true
  tags                      = { Name = "accepter-${local.word}" }
}

resource "aws_vpc_peering_connection_options" "regions" {
  vpc_peering_connection_id = aws_vpc_peering_connection_accepter.regions.id
  requester { allow_remote_vpc_dns_resolution = !var.changed }
}

# Two accounts.
resource "aws_vpc_peering_connection" "accounts" {
  depends_on    = [aws_vpc_ipv4_cidr_block_association.second]
  vpc_id        = aws_vpc.main.id
  peer_vpc_id   = aws_vpc.other.id
  peer_owner_id = data.aws_caller_identity.other.account_id
}

resource "aws_vpc_peering_connection_accepter" "accounts" {
  provider                  = aws.other
  vpc_peering_connection_id = aws_vpc_peering_connection.accounts.id
  auto_accept               = true
  tags                      = { Name = local.word }
}

resource "aws_vpc_peering_connection_options" "accounts" {
  vpc_peering_connection_id = aws_vpc_peering_connection_accepter.accounts.id
  requester { allow_remote_vpc_dns_resolution = true }
}

resource "aws_vpc_peering_connection_options" "accounts_accepter" {
  provider                  = aws.other
  vpc_peering_connection_id = aws_vpc_peering_connection_accepter.accounts.id
  accepter { allow_remote_vpc_dns_resolution = !var.changed }
}

resource "aws_route" "back" {
  provider                  = aws.other
  route_table_id            = aws_vpc.other.main_route_table_id
  destination_cidr_block    = aws_vpc.main.cidr_block
  vpc_peering_connection_id = aws_vpc_peering_connection_accepter.accounts.vpc_peering_connection_id
}
