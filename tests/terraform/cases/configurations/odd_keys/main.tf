locals {
  keys = {
    "with space" = 1
    "dot.ted"    = 2
    "quo\"te"    = 3
    "back\\slash" = 4
    "tab\there"  = 5
    "$${x}"      = 6
    "é"          = 7
    "123"        = 8
    ""           = 9
  }
}

resource "aws_iam_policy" "odd" {
  for_each = local.keys
  name     = "odd-${each.value}"
  policy   = jsonencode({ Version = "2012-10-17", Statement = [{ Sid = "S${each.value}", Effect = "Allow", Action = "s3:Get*", Resource = "arn:aws:s3:::${each.key}" }] })
}

module "odd" {
  source   = "../nested_modules/service"
  for_each = { for key, value in local.keys : key => "odd-${value}" if value < 4 }
  name     = each.value
}
