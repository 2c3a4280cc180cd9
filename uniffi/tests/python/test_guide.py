"""The guide's code is what is run here, in Kotlin's suite (GuideTest.kt) and in Swift's (GuideTests.swift): docs/guide/write-an-app.md holds the same text."""

import asyncio
import pathlib
import re
import sys

import pytest

import privet
from phone import SOON

HERE = pathlib.Path(__file__).parent
GUIDE = (HERE / "../../../docs/guide/write-an-app.md").read_text()


@pytest.mark.parametrize(
    ("language", "file"), [("python", "guide.py"), ("kotlin", "../kotlin/Guide.kt"), ("swift", "../swift/Phones/Tests/PhonesTests/Guide.swift")]
)
def test_the_guide_holds_the_very_code_that_is_tested(language, file):
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    assert blocks == [(HERE / file).read_text()]


@pytest.mark.skipif(sys.version_info < (3, 10), reason="the guide's code uses match, which this Python does not have")
async def test_the_guides_code_works(house, tmp_path):
    guide = await asyncio.create_subprocess_exec(
        sys.executable, HERE / "guide.py", await house.offer(), cwd=tmp_path, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(guide.communicate(), SOON * 1.5)
    assert guide.returncode == 0 and b"exported, and proven: True" in out, out
    assert (tmp_path / "live.mp4").stat().st_size > 0
    assert privet.verify_file(str(tmp_path / "clip.mp4"), []).frames_checked > 0
