variable "verb" {
  type    = string
  default = "Get"
}

resource "aws_iam_policy" "this" {
  name        = "overridden"
  description = "kept"
  policy      = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "s3:*", Resource = "*" }] })
}

data "aws_iam_policy_document" "this" {
  statement {
    actions   = ["s3:*"]
    resources = ["*"]
  }
}

locals {
  shared = "from main"
}
