variable "roles" {
  type = map(object({
    services    = optional(list(string), [])
    accounts    = optional(set(string), [])
    policies    = optional(list(string), ["arn:aws:iam::aws:policy/ReadOnlyAccess"])
    max_session = optional(number, 3600)
    external_id = optional(string)
    tags        = optional(map(string))
  }))
  default = {
    app   = { services = ["ec2.amazonaws.com"], tags = { env = "dev", size = 3 } }
    audit = { accounts = [222222222222, "111111111111"], external_id = "abc", policies = ["arn:aws:iam::aws:policy/SecurityAudit"], max_session = "7200" }
  }
}

data "aws_iam_policy_document" "trust" {
  for_each = var.roles
  statement {
    actions = concat(["sts:AssumeRole"], each.value.external_id == null ? [] : ["sts:TagSession"])
    dynamic "principals" {
      for_each = length(each.value.services) > 0 ? ["Service"] : []
      content {
        type        = principals.value
        identifiers = each.value.services
      }
    }
    dynamic "principals" {
      for_each = length(each.value.accounts) > 0 ? [each.value.accounts] : []
      content {
        type        = "AWS"
        identifiers = [for id in principals.value : "arn:aws:iam::${id}:root"]
      }
    }
    dynamic "condition" {
      for_each = each.value.external_id[*]
      content {
        test     = "StringEquals"
        variable = "sts:ExternalId"
        values   = [condition.value]
      }
    }
  }
}

resource "aws_iam_role" "this" {
  for_each             = var.roles
  name                 = each.key
  max_session_duration = each.value.max_session
  assume_role_policy   = data.aws_iam_policy_document.trust[each.key].json
  tags                 = each.value.tags
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each   = merge([for role, settings in var.roles : { for arn in settings.policies : "${role}:${arn}" => { role = role, arn = arn } }]...)
  role       = aws_iam_role.this[each.value.role].name
  policy_arn = each.value.arn
}
