"""No command in the deployment page goes untested without saying why."""

import ast

from loan_pipeline_tests.helpers.cloudformation import ROOT
from loan_pipeline_tests.helpers.deployment_page import blocks


def test_every_block_is_executed_by_a_test_or_says_what_it_needs() -> None:
    commands = [block for block in blocks() if block.kind or "loan-bastion" in block.text]
    assert len(commands) > 15
    for block in commands:
        assert block.executed_by or "*Needs " in block.before, block.text


def test_the_tests_that_the_page_names_exist() -> None:
    named = [block.executed_by for block in blocks() if block.executed_by]
    assert len(named) >= 6
    for path, _, name in (one.partition("::") for one in named):
        tree = ast.parse((ROOT / path).read_text())
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, name
