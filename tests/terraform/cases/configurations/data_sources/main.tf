terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

data "aws_partition" "current" {}
data "aws_region" "current" {}

data "aws_arn" "role" {
  arn = "arn:aws:iam::123456789012:role/path/name"
}

data "aws_service_principal" "lambda" {
  service_name = "lambda"
}

locals {
  home = "arn:${data.aws_partition.current.partition}:s3:::${data.aws_region.current.name}-bucket"
}

data "aws_iam_policy_document" "this" {
  statement {
    actions   = ["s3:GetObject"]
    resources = ["${local.home}/*", "arn:${data.aws_partition.current.partition}:iam::${data.aws_arn.role.account}:${data.aws_arn.role.resource}"]
  }
  statement {
    actions   = ["sts:AssumeRole"]
    resources = [provider::aws::arn_build("aws", "iam", "", data.aws_arn.role.account, "role/x"), provider::aws::trim_iam_role_path(data.aws_arn.role.arn)]
    principals {
      type        = "Service"
      identifiers = [data.aws_service_principal.lambda.name, "ec2.${data.aws_partition.current.dns_suffix}"]
    }
  }
}

resource "aws_iam_policy" "this" {
  name   = "region-${data.aws_region.current.name}"
  policy = data.aws_iam_policy_document.this.json
}
