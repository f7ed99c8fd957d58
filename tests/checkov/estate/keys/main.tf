# Every way in which an address gets a key, and keys with a dot in them.

variable "regions" {
  type = set(string)
}

resource "aws_iam_role" "by_name" {
  for_each           = toset(["eu.west", "us"])
  name               = each.key
  assume_role_policy = data.aws_iam_policy_document.open.json
}

resource "aws_iam_role" "by_number" {
  count              = 2
  name               = "worker-${count.index}"
  assume_role_policy = data.aws_iam_policy_document.open.json
}

resource "aws_iam_role" "unknown" {
  for_each           = var.regions
  name               = each.key
  assume_role_policy = data.aws_iam_policy_document.open.json
}

data "aws_iam_policy_document" "open" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "AWS"
      identifiers = ["*"]
    }
  }
}

module "team" {
  source   = "./team"
  for_each = toset(["data.science", "web"])
  name     = each.key
}

module "single" {
  source = "./team"
  name   = "single"
}
