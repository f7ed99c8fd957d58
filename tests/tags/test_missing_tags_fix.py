"""Missing tags are added where their value is beyond doubt, and nowhere else."""

from __future__ import annotations

from iam_preflight.fixes import plan_fixes
from iam_preflight.registry import load_rules
from iam_preflight.testing import scan_files

ROLE = """
resource "aws_iam_role" "{name}" {{
  assume_role_policy = "{{}}"
  tags = {{
    {tags}
  }}
}}
"""
FULL = 'Environment = "prod"\n    Owner = "{owner}"\n    CreatedBy = "terraform"'


def fixed(*tags: str) -> str | None:
    """The configuration after the fixes for roles with these tags; None where there are none."""
    text = "".join(ROLE.format(name=f"r{n}", tags=one) for n, one in enumerate(tags))
    report = scan_files({"main.tf": text}, load_rules().select(["TAG-001"], []))
    plan = plan_fixes(report.shown)
    return next((content.decode() for _, content in plan.texts()), None)


def test_a_tag_that_all_others_agree_on_is_added() -> None:
    full = FULL.format(owner="shop@example.com")
    after = fixed(full, full, 'Environment = "prod"\n    CreatedBy = "terraform"')
    assert after is not None
    assert after.count('Owner = "shop@example.com"') == 3
    assert '    Owner = "shop@example.com"\n    Environment = "prod"\n' in after


def test_a_tag_with_several_values_is_left_to_its_author() -> None:
    others = (FULL.format(owner="shop@example.com"), FULL.format(owner="cart@example.com"))
    assert fixed(*others, 'Environment = "prod"\n    CreatedBy = "terraform"') is None


def test_a_value_with_something_to_escape_is_left_to_its_author() -> None:
    full = FULL.format(owner='the \\"shop\\"')
    assert fixed(full, full, 'Environment = "prod"\n    CreatedBy = "terraform"') is None
