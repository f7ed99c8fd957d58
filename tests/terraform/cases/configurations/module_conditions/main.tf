variable "enabled" { default = true }

module "on" {
  source = "../module_outputs/buckets"
  count  = var.enabled ? 1 : 0
  names  = ["on"]
}

module "off" {
  source = "../module_outputs/buckets"
  count  = var.enabled ? 0 : 1
  names  = ["off"]
}

locals {
  all = concat(flatten(module.on[*].names), flatten(module.off[*].names))
}

resource "aws_iam_policy" "all" {
  for_each = toset(local.all)
  name     = each.key
  policy   = try(module.off[0].deny, module.on[0].deny)
}
