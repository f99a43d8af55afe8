# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Two accounts and two Regions of one endpoint. The credentials come from profiles; nothing of AWS itself is asked.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.0"
    }
  }
}

variable "changed" {
  description = "true: every resource that can be changed in place has another value than at first"
  type        = bool
  default     = false
}

variable "slow" {
  description = "true: with the resources for which the provider waits longest"
  type        = bool
  default     = false
}

variable "endpoint" { type = string }
variable "config_file" { type = string }

provider "aws" {
  region                   = "us-east-1"
  profile                  = "main"
  shared_config_files      = [var.config_file]
  shared_credentials_files = []
  skip_metadata_api_check  = true
  skip_region_validation   = true
  s3_use_path_style        = true
  endpoints {
    ec2     = var.endpoint
    iam     = var.endpoint
    logs    = var.endpoint
    route53 = var.endpoint
    ssm     = var.endpoint
    sts     = var.endpoint
    s3      = var.endpoint
  }
  default_tags { tags = { suite = "terraform" } }
}

provider "aws" {
  alias                    = "west"
  region                   = "us-west-2"
  profile                  = "main"
  shared_config_files      = [var.config_file]
  shared_credentials_files = []
  skip_metadata_api_check  = true
  skip_region_validation   = true
  endpoints {
    ec2 = var.endpoint
    sts = var.endpoint
  }
}

provider "aws" {
  alias                    = "other"
  region                   = "us-east-1"
  profile                  = "other"
  shared_config_files      = [var.config_file]
  shared_credentials_files = []
  skip_metadata_api_check  = true
  skip_region_validation   = true
  endpoints {
    ec2     = var.endpoint
    route53 = var.endpoint
    sts     = var.endpoint
  }
}
