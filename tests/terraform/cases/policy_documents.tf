# Policy documents that the real provider and ours must render alike.
variable "names" {
  type    = list(string)
  default = ["alpha", "beta", "gamma"]
}

variable "rules" {
  type = list(object({
    sid       = optional(string)
    effect    = optional(string, "Allow")
    actions   = list(string)
    resources = optional(list(string), ["*"])
    tests     = optional(map(map(list(string))), {})
    trusted   = optional(list(string))
  }))
  default = [
    { sid = "One", actions = ["s3:GetObject"], resources = ["arn:aws:s3:::a/*"] },
    { actions = ["s3:PutObject", "s3:DeleteObject"], tests = { StringEquals = { "aws:SourceVpc" = ["vpc-1"], "aws:SourceAccount" = ["1", "2"] } } },
    { sid = "Three", effect = "Deny", actions = ["*"], tests = { Bool = { "aws:SecureTransport" = ["false"] } } },
  ]
}

locals {
  bucket   = "arn:aws:s3:::bucket"
  enabled  = true
  disabled = false
  raw = jsonencode({
    Version   = "2008-10-17"
    Id        = "RawId"
    Statement = [{ Sid = "Raw", Effect = "Allow", Action = ["s3:ListBucket"], Resource = "*" }]
  })
}

data "aws_iam_policy_document" "empty" {}

data "aws_iam_policy_document" "defaults" {
  statement {
    actions   = ["s3:GetObject"]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "sorted" {
  statement {
    actions   = ["s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:GetObject"]
    resources = ["${local.bucket}/b", "${local.bucket}/a", local.bucket]
  }
}

data "aws_iam_policy_document" "deny" {
  statement {
    sid       = "DenyAll"
    effect    = "Deny"
    actions   = ["*"]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "negated" {
  statement {
    not_actions   = ["iam:*", "organizations:*"]
    not_resources = ["arn:aws:s3:::secret/*"]
  }
}

data "aws_iam_policy_document" "version_and_id" {
  version   = "2008-10-17"
  policy_id = "MyPolicy"
  statement {
    actions   = ["sqs:SendMessage"]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "empty_sid" {
  statement {
    sid       = ""
    actions   = ["s3:GetObject"]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "no_actions" {
  statement {
    sid       = "Nothing"
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "empty_lists" {
  statement {
    actions     = []
    not_actions = ["s3:*"]
    resources   = []
  }
}

data "aws_iam_policy_document" "null_arguments" {
  policy_id = null
  version   = null
  statement {
    sid       = null
    effect    = null
    actions   = ["s3:GetObject"]
    resources = null
  }
}

data "aws_iam_policy_document" "trust_service" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "trust_services" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com", "edgelambda.amazonaws.com", "ec2.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "trust_types" {
  statement {
    actions = ["sts:AssumeRole", "sts:TagSession"]
    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::123456789012:root", "111111111111"]
    }
    principals {
      type        = "Federated"
      identifiers = ["cognito-identity.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "same_type_twice" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "AWS"
      identifiers = ["111111111111"]
    }
    principals {
      type        = "AWS"
      identifiers = ["222222222222"]
    }
  }
}

data "aws_iam_policy_document" "same_type_thrice" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "AWS"
      identifiers = ["333333333333", "111111111111"]
    }
    principals {
      type        = "AWS"
      identifiers = ["222222222222"]
    }
    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "star_principal" {
  statement {
    actions   = ["s3:GetObject"]
    resources = ["*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
  }
}

data "aws_iam_policy_document" "star_and_more" {
  statement {
    actions   = ["s3:GetObject"]
    resources = ["*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    principals {
      type        = "AWS"
      identifiers = ["*"]
    }
  }
}

data "aws_iam_policy_document" "aws_star" {
  statement {
    actions   = ["s3:GetObject"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["*"]
    }
  }
}

data "aws_iam_policy_document" "not_principals" {
  statement {
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = ["*"]
    not_principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::123456789012:role/admin", "arn:aws:iam::123456789012:root"]
    }
  }
}

data "aws_iam_policy_document" "canonical_user" {
  statement {
    actions   = ["s3:GetObject"]
    resources = ["*"]
    principals {
      type        = "CanonicalUser"
      identifiers = ["79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"]
    }
  }
}

data "aws_iam_policy_document" "condition" {
  statement {
    actions   = ["s3:ListBucket"]
    resources = [local.bucket]
    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["home/&{aws:username}/*"]
    }
  }
}

data "aws_iam_policy_document" "condition_values" {
  statement {
    actions   = ["s3:ListBucket"]
    resources = ["*"]
    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["z", "", "a", "z"]
    }
  }
}

data "aws_iam_policy_document" "conditions" {
  statement {
    actions   = ["kms:*"]
    resources = ["*"]
    condition {
      test     = "StringEquals"
      variable = "kms:CallerAccount"
      values   = ["123456789012"]
    }
    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.eu-west-1.amazonaws.com", "ec2.eu-west-1.amazonaws.com"]
    }
    condition {
      test     = "Bool"
      variable = "kms:GrantIsForAWSResource"
      values   = [true]
    }
    condition {
      test     = "NumericLessThan"
      variable = "aws:MultiFactorAuthAge"
      values   = [3600]
    }
  }
}

data "aws_iam_policy_document" "same_condition_twice" {
  statement {
    actions   = ["s3:*"]
    resources = ["*"]
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = ["111111111111"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = ["222222222222", "333333333333"]
    }
  }
}

data "aws_iam_policy_document" "for_any_value" {
  statement {
    actions   = ["dynamodb:GetItem"]
    resources = ["*"]
    condition {
      test     = "ForAllValues:StringEquals"
      variable = "dynamodb:LeadingKeys"
      values   = ["&{cognito-identity.amazonaws.com:sub}"]
    }
    condition {
      test     = "ForAnyValue:StringLike"
      variable = "aws:TagKeys"
      values   = ["a*", "b*"]
    }
    condition {
      test     = "Null"
      variable = "aws:TokenIssueTime"
      values   = ["false"]
    }
  }
}

data "aws_iam_policy_document" "variables_of_iam" {
  statement {
    actions   = ["s3:&{not}"]
    resources = ["arn:aws:s3:::&{aws:username}/*", "arn:aws:s3:::$${aws:userid}/*", "arn:aws:s3:::b/&{a}/&{b}"]
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::123456789012:user/&{aws:username}"]
    }
  }
  statement {
    not_actions   = ["s3:*"]
    not_resources = ["arn:aws:s3:::&{aws:username}"]
  }
}

data "aws_iam_policy_document" "html" {
  statement {
    sid       = "Html"
    actions   = ["s3:Get<Object>", "s3:Put&Object"]
    resources = ["arn:aws:s3:::\"quoted\"/*", "é"]
  }
}

data "aws_iam_policy_document" "several_statements" {
  statement {
    sid       = "First"
    actions   = ["s3:GetObject"]
    resources = ["*"]
  }
  statement {
    actions   = ["s3:PutObject"]
    resources = ["*"]
  }
  statement {
    sid       = "Third"
    actions   = ["s3:DeleteObject"]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "dynamic" {
  dynamic "statement" {
    for_each = var.rules
    content {
      sid       = statement.value.sid
      effect    = statement.value.effect
      actions   = statement.value.actions
      resources = statement.value.resources
      dynamic "condition" {
        for_each = flatten([for test, keys in statement.value.tests : [for key, values in keys : { test = test, key = key, values = values }]])
        iterator = rule
        content {
          test     = rule.value.test
          variable = rule.value.key
          values   = rule.value.values
        }
      }
      dynamic "principals" {
        for_each = statement.value.trusted == null ? [] : [statement.value.trusted]
        content {
          type        = "AWS"
          identifiers = principals.value
        }
      }
    }
  }
}

data "aws_iam_policy_document" "dynamic_set" {
  dynamic "statement" {
    for_each = toset(["b", "a"])
    content {
      sid       = upper(statement.key)
      actions   = ["s3:${statement.value}"]
      resources = ["*"]
    }
  }
}

data "aws_iam_policy_document" "dynamic_map" {
  dynamic "statement" {
    for_each = { two = "2", one = "1" }
    iterator = item
    content {
      sid       = item.key
      actions   = ["sqs:*"]
      resources = ["arn:aws:sqs:::${item.value}"]
    }
  }
  statement {
    actions   = ["sns:*"]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "dynamic_condition_off" {
  statement {
    actions   = ["s3:*"]
    resources = ["*"]
    dynamic "condition" {
      for_each = local.disabled ? [1] : []
      content {
        test     = "Bool"
        variable = "aws:SecureTransport"
        values   = ["true"]
      }
    }
  }
}

data "aws_iam_policy_document" "dynamic_condition_on" {
  statement {
    actions   = ["s3:*"]
    resources = ["*"]
    dynamic "condition" {
      for_each = local.enabled ? [1] : []
      content {
        test     = "Bool"
        variable = "aws:SecureTransport"
        values   = ["true"]
      }
    }
  }
}

data "aws_iam_policy_document" "dynamic_principals" {
  statement {
    actions = ["sts:AssumeRole"]
    dynamic "principals" {
      for_each = { Service = ["ec2.amazonaws.com"], AWS = ["123456789012", "*"] }
      content {
        type        = principals.key
        identifiers = principals.value
      }
    }
  }
}

data "aws_iam_policy_document" "for_expressions" {
  statement {
    actions   = [for verb in ["Get", "Put"] : "s3:${verb}Object"]
    resources = [for name in var.names : "arn:aws:s3:::${name}/*"]
  }
}

data "aws_iam_policy_document" "concatenated" {
  statement {
    actions   = concat(["s3:GetObject"], local.enabled ? ["s3:PutObject"] : [], local.disabled ? ["s3:*"] : [])
    resources = flatten([local.bucket, ["${local.bucket}/*"]])
  }
}

data "aws_iam_policy_document" "numbers_as_text" {
  statement {
    actions   = ["sts:AssumeRole"]
    resources = [123, true]
    principals {
      type        = "AWS"
      identifiers = [123456789012]
    }
  }
}

data "aws_iam_policy_document" "source" {
  source_policy_documents = [data.aws_iam_policy_document.several_statements.json]
}

data "aws_iam_policy_document" "source_and_own" {
  source_policy_documents = [data.aws_iam_policy_document.several_statements.json]
  statement {
    sid       = "Own"
    actions   = ["s3:ListBucket"]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "own_replaces_source" {
  source_policy_documents = [data.aws_iam_policy_document.several_statements.json]
  statement {
    sid       = "First"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "several_sources" {
  source_policy_documents = [
    data.aws_iam_policy_document.defaults.json,
    data.aws_iam_policy_document.deny.json,
    data.aws_iam_policy_document.defaults.json,
  ]
}

data "aws_iam_policy_document" "source_of_source" {
  source_policy_documents = [data.aws_iam_policy_document.source_and_own.json, data.aws_iam_policy_document.deny.json]
}

data "aws_iam_policy_document" "override" {
  statement {
    sid       = "Keep"
    actions   = ["s3:GetObject"]
    resources = ["*"]
  }
  statement {
    sid       = "First"
    actions   = ["sqs:*"]
    resources = ["*"]
  }
  override_policy_documents = [data.aws_iam_policy_document.several_statements.json]
}

data "aws_iam_policy_document" "overrides_in_order" {
  statement {
    sid       = "First"
    actions   = ["sqs:*"]
    resources = ["*"]
  }
  override_policy_documents = [
    data.aws_iam_policy_document.several_statements.json,
    data.aws_iam_policy_document.own_replaces_source.json,
  ]
}

data "aws_iam_policy_document" "source_own_override" {
  policy_id               = "OwnId"
  source_policy_documents = [data.aws_iam_policy_document.several_statements.json, local.raw]
  statement {
    sid       = "Third"
    actions   = ["sns:*"]
    resources = ["*"]
  }
  override_policy_documents = [data.aws_iam_policy_document.deny.json, data.aws_iam_policy_document.override.json]
}

data "aws_iam_policy_document" "id_of_source" {
  source_policy_documents = [local.raw]
}

data "aws_iam_policy_document" "id_of_override" {
  policy_id                 = "Own"
  override_policy_documents = [local.raw]
}

data "aws_iam_policy_document" "version_of_source" {
  version                 = "2008-10-17"
  source_policy_documents = [data.aws_iam_policy_document.defaults.json]
}

data "aws_iam_policy_document" "old_version_everywhere" {
  version                 = "2008-10-17"
  source_policy_documents = [local.raw]
}

data "aws_iam_policy_document" "raw_forms" {
  source_policy_documents = [jsonencode({
    Statement = [
      { Effect = "Allow", Action = "s3:*", Resource = ["b", "a"], Principal = "*" },
      { Effect = "Allow", Action = ["b", "a"], Resource = "*", Principal = { AWS = ["111111111111", "222222222222"], Service = "ec2.amazonaws.com" } },
      { Effect = "Deny", NotAction = ["x"], NotResource = ["y"], NotPrincipal = { AWS = "*" } },
      { Effect = "Allow", Action = "z", Resource = "*", Condition = { Bool = { "aws:SecureTransport" = true }, StringLike = { "s3:prefix" = ["b", "a"], "aws:x" = ["only"] } } },
      { Sid = "", Effect = "Allow", Action = [], Resource = "*" },
      { Effect = "Allow", Action = "q", Resource = "*", Principal = { "*" = "*" } },
      { Effect = "Allow", Action = "q", Resource = "*", Unknown = "dropped" },
    ]
  })]
}

data "aws_iam_policy_document" "raw_lower_case" {
  source_policy_documents = [jsonencode({
    version   = "2012-10-17"
    statement = [{ sid = "Lower", effect = "Allow", action = "s3:*", resource = "*" }]
  })]
}

data "aws_iam_policy_document" "heredoc_source" {
  source_policy_documents = [<<-JSON
    {
      "Version": "2012-10-17",
      "Statement": [
        {"Sid": "Here", "Effect": "Allow", "Action": ["s3:Get*"], "Resource": "${local.bucket}/*"}
      ]
    }
  JSON
  ]
}

data "aws_iam_policy_document" "empty_sources" {
  source_policy_documents   = []
  override_policy_documents = []
  statement {
    actions   = ["s3:GetObject"]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "null_sources" {
  source_policy_documents = null
  statement {
    actions   = ["s3:GetObject"]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "conditional_sources" {
  source_policy_documents = compact([
    local.enabled ? data.aws_iam_policy_document.defaults.json : "",
    local.disabled ? data.aws_iam_policy_document.deny.json : "",
  ])
}

data "aws_iam_policy_document" "empty_source" {
  source_policy_documents = [data.aws_iam_policy_document.empty.json]
}

data "aws_iam_policy_document" "each" {
  for_each = toset(var.names)
  statement {
    sid       = title(each.key)
    actions   = ["s3:GetObject"]
    resources = ["arn:aws:s3:::${each.value}/*"]
  }
}

data "aws_iam_policy_document" "joined" {
  source_policy_documents = [for document in data.aws_iam_policy_document.each : document.json]
}

data "aws_iam_policy_document" "joined_values" {
  source_policy_documents = values(data.aws_iam_policy_document.each)[*].json
}

data "aws_iam_policy_document" "counted" {
  count = 2
  statement {
    sid       = "Number${count.index}"
    actions   = ["s3:GetObject"]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "counted_joined" {
  source_policy_documents   = data.aws_iam_policy_document.counted[*].json
  override_policy_documents = [data.aws_iam_policy_document.counted[1].json]
}

data "aws_iam_policy_document" "not_counted" {
  count = local.disabled ? 1 : 0
  statement {
    actions   = ["*"]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "maybe_source" {
  source_policy_documents = data.aws_iam_policy_document.not_counted[*].json
  statement {
    actions   = ["s3:GetObject"]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "one_of_none" {
  source_policy_documents = compact([one(data.aws_iam_policy_document.not_counted[*].json), try(data.aws_iam_policy_document.not_counted[0].json, ""), data.aws_iam_policy_document.deny.json])
}

data "aws_iam_policy_document" "decoded" {
  dynamic "statement" {
    for_each = jsondecode(data.aws_iam_policy_document.several_statements.json).Statement
    content {
      sid       = try(statement.value.Sid, null)
      actions   = flatten([statement.value.Action])
      resources = [statement.value.Resource]
    }
  }
}

data "aws_iam_policy_document" "whole_blocks_by_key" {
  statement {
    sid     = "AllowKeyUse"
    actions = sort(distinct(["kms:Decrypt", "kms:Encrypt", "kms:Decrypt"]))
    resources = [
      "arn:aws:kms:eu-west-1:123456789012:key/*",
    ]
    principals {
      type        = "AWS"
      identifiers = formatlist("arn:aws:iam::%s:root", ["111111111111", "222222222222"])
    }
    condition {
      test     = "ArnLike"
      variable = "aws:PrincipalArn"
      values   = [for name in reverse(var.names) : "arn:aws:iam::*:role/${name}"]
    }
  }
}
