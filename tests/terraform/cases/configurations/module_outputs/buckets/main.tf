variable "names" { type = list(string) }

variable "prefix" {
  type    = string
  default = "acme"
}

locals {
  full = [for name in var.names : "${var.prefix}-${name}"]
}

data "aws_iam_policy_document" "deny" {
  statement {
    sid       = "DenyInsecure"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = ["*"]
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = [false]
    }
  }
}

output "names" { value = local.full }
output "deny" { value = data.aws_iam_policy_document.deny.json }
output "tags" { value = { Owner = var.prefix, Count = length(local.full) } }
