# What the expressions in expressions.txt refer to.
locals {
  name     = "key"
  number   = 5
  yes      = true
  no       = false
  none     = null
  list     = ["first", "second"]
  map      = tomap({ x = "ex", y = "why" })
  template = "hello $${name}!"
  object = {
    a      = 1
    nested = { deep = "value" }
    items  = ["i0", "i1"]
  }
  objects = [
    { name = "one", tags = { env = "dev" }, list = ["a", "b"] },
    { name = "two", tags = { env = "prod", owner = "me" }, list = ["c"] },
  ]
}

variable "typed" {
  type = object({
    name   = string
    count  = optional(number, 3)
    tags   = optional(map(string), { team = "x" })
    nested = optional(object({ flag = optional(bool, true), note = optional(string) }), {})
    extra  = optional(string)
  })
  default = {
    name    = 12
    tags    = null
    dropped = "not in the type"
  }
}

variable "numbers" {
  type    = list(number)
  default = ["1", 2, "3.5"]
}

variable "text_numbers" {
  type    = list(string)
  default = [1, true, "x"]
}

variable "a_set" {
  type    = set(string)
  default = ["b", "a", "b"]
}

variable "a_map" {
  type    = map(number)
  default = { a = "1", b = 2 }
}

variable "anything" {
  default = { a = [1, "x"], b = null }
}

variable "nullable" {
  type    = string
  default = null
}

variable "not_nullable" {
  type     = string
  default  = "d"
  nullable = false
}

variable "a_tuple" {
  type    = tuple([string, number])
  default = [1, "2"]
}

variable "objects" {
  type = list(object({
    name = string
    size = optional(number, 10)
    on   = optional(bool, true)
  }))
  default = [{ name = "a" }, { name = "b", size = "5", on = false }]
}

variable "any_list" {
  type    = list(any)
  default = [1, "a", true]
}

variable "any_map" {
  type    = map(any)
  default = { a = 1, b = "x" }
}
