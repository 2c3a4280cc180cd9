"""Finished recordings: random access to verified bytes, films with and without their proof."""

import asyncio
import random

import pytest

import privet
from phone import clip_of_motion, finished_clip

# Everything of a clip of a few seconds.
ALL = 4 << 20


async def whole(clip):
    data, at = bytearray(), 0
    while piece := await clip.read(at, ALL):
        data += piece
        at += len(piece)
    return bytes(data)


async def read_to(clip, at, count):
    """Exactly so many bytes: a read may give fewer than it was asked for."""
    data = bytearray()
    while len(data) < count:
        piece = await asyncio.to_thread(clip.read_at, at + len(data), count - len(data))
        assert piece, "the end comes before the clip's length"
        data += piece
    return bytes(data)


async def test_random_access_gives_what_reading_in_order_gives(house, phone):
    client = await phone("reader").pair(house)
    known = await finished_clip(client)
    clip = await client.open_clip(known.id)
    # A player reads here and there before all of it was fetched.
    assert (await asyncio.to_thread(clip.read_at, 0, 8))[4:8] == b"ftyp"
    length = await clip.len()
    data = await whole(clip)
    assert len(data) == length and clip.mime() == "video/mp4"
    progress = clip.progress()
    assert progress.ready == progress.segments > 1, "a clip of one segment has no borders to read across"

    chance = random.Random(7)
    # Long and short pieces: with a thousand of them, every border between segments is crossed.
    for _ in range(1000):
        at = chance.randrange(length)
        count = min(chance.choice((1, 17, 4096, 300_000)), length - at)
        assert await read_to(clip, at, count) == data[at : at + count], (at, count)
    assert await clip.read(length, 10) == b"" and await clip.read(length + 1000, 10) == b""
    clip.stop()


async def test_a_film_with_its_proof_convinces_who_never_was_in_the_home(house, phone, tmp_path):
    client = await phone("exporter").pair(house)
    known = await finished_clip(client)
    clip = await client.open_clip(known.id)
    report = await clip.verify()
    assert report.ok and report.signer_known and report.frames_checked > 0, report

    proven, bare = str(tmp_path / "proven.mp4"), str(tmp_path / "bare.mp4")
    await clip.export_to(proven, True)
    await clip.export_to(bare, False)
    roots = client.trust_roots(known.camera_id)
    report = privet.verify_file(proven, roots)
    assert report.ok and report.signer_known and report.segments == clip.progress().segments, report
    assert not privet.verify_file(proven, []).signer_known
    with pytest.raises(privet.CoreError.Tampered):
        privet.verify_file(bare, roots)

    film = bytearray((tmp_path / "proven.mp4").read_bytes())
    film[film.index(b"mdat") + 100] ^= 1
    report = privet.verify_bytes(bytes(film), roots)
    assert not report.ok and report.problems, report
    clip.stop()


async def test_what_happened_is_listed_with_the_clip(house, phone):
    client = await phone("historian").pair(house)
    known = await clip_of_motion(client)
    page = await client.events(None, 0, 2**62, None, 50)
    motion = [event for event in page.events if event.kind == "motion"]
    assert any(event.clip_id == known.id for event in motion), page
    thumbnail = await client.thumbnail(known.id)
    assert thumbnail is None or thumbnail.bytes


async def test_pages_hold_each_clip_once(house, phone):
    client = await phone("pager").pair(house)
    first = await finished_clip(client)
    await finished_clip(client, known=(first.id,))
    every = [clip.id for clip in (await client.clips(None, 0, 2**62, None, 500)).clips]
    paged, page = [], None
    while len(paged) <= len(every):
        part = await client.clips(None, 0, 2**62, page, 1)
        paged += [clip.id for clip in part.clips]
        page = part.next
        if page is None:
            break
    # A recording may have begun meanwhile.
    assert [clip for clip in paged if clip in every] == every


async def test_arguments_that_make_no_sense_are_refused(house, phone):
    client = await phone("confused").pair(house)
    with pytest.raises(privet.CoreError.NotFound):
        await client.open_clip("00" * 16)
    with pytest.raises(privet.CoreError.Invalid):
        await client.clips(None, 0, 2**62, "no page of ours", 10)
