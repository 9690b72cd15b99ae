"""A click on a line of the code selects its blocks, in the browser."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.app_harness import Server, until
from tests.browser.looking import Look

pytestmark = pytest.mark.browser


def test_a_line_of_the_code_selects_its_block(chrome: Any, server: Server) -> None:
    with Look(chrome, server.url, "code-line-") as look:
        page = look.page
        page.get_by_test_id("node-conv1").wait_for()
        look.tab("Code")
        page.locator("[id^=line-]", has_text="self.fc2 = ").click()
        page.get_by_test_id("inspector").get_by_test_id("block-name").wait_for()
        until(lambda: page.get_by_test_id("block-name").input_value() == "fc2")
        page.get_by_text("Lines of fc2 are marked.", exact=False).wait_for()
        look.shot("fc2")
        page.locator("[id^=line-]", has_text="self.pool2(").click()
        page.get_by_text("Lines of conv2, relu2, pool2, flatten are marked.", exact=False).wait_for()
