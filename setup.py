"""Names the packages of both source roots; setup.cfg holds everything else.

setup.cfg can search one folder only, and a list written by hand would miss the next family of
rules without anybody noticing.
"""

from setuptools import find_namespace_packages, setup

setup(
    packages=[
        *find_namespace_packages(
            "scanner", include=["iam_preflight*"], exclude=["*.data", "*.assets"]
        ),
        *find_namespace_packages("checks", include=["iam_preflight_checks*", "checkov_pack"]),
    ]
)
