"""A camera now: pictures in order, a key frame first, and a verdict on each segment; for players and for decoders."""

import asyncio

import pytest

import privet
from phone import event, items, only, verified, watch


@pytest.mark.parametrize("form", [privet.LiveFormat.FMP4, privet.LiveFormat.ACCESS_UNITS])
async def test_pictures_advance_and_their_segments_are_verified(house, phone, form):
    client = await phone("viewer").pair(house)
    camera = (await client.cameras())[0]
    # The stream is there already: a view may begin just as the hub ends that of a test before.
    held = await watch(client, 2)
    live = await client.open_live(camera.id, form, 2000)
    # Two segments' verdicts: the second is of a segment that was seen from its beginning.
    seen = await items(live, lambda seen: sum(map(verified, seen)) >= 2)

    assert isinstance(seen[0], privet.LiveItem.FORMAT)
    assert seen[0].codec.startswith("avc1.") and (seen[0].width, seen[0].height) == (640, 360)
    pictures = [item for item in only(privet.LiveItem.MEDIA, seen) if item.track == privet.Track.VIDEO]
    assert pictures[0].key, "decoding can begin with the first picture"
    assert all(isinstance(picture.trust, privet.Trust.PENDING) for picture in pictures)
    assert not only(privet.LiveItem.GAP, seen)
    frames = [picture.frame for picture in pictures]
    assert frames == list(range(frames[0], frames[0] + len(frames)))
    times = [picture.pts_us for picture in pictures]
    assert times == sorted(set(times))

    if form == privet.LiveFormat.FMP4:
        assert seen[0].header[4:8] == b"ftyp"
        assert all(picture.data[4:8] == b"moof" for picture in pictures)
    else:
        assert seen[0].header[0] == 1, "an avcC record"
        for picture in pictures:
            assert sum(lengths(picture.data)) + 4 * len(lengths(picture.data)) == len(picture.data)

    covered = {frame for s in seen if verified(s) for frame in range(s.first_frame, s.last_frame + 1)}
    assert covered & set(frames)
    stats = live.stats()
    assert stats.received > 0 and stats.verified >= 2 and stats.broken == 0
    live.stop()
    held.stop()


def lengths(data):
    """The lengths of the NAL units, each behind four bytes of length."""
    found, at = [], 0
    while at < len(data):
        found.append(int.from_bytes(data[at : at + 4], "big"))
        at += 4 + found[-1]
    return found


async def test_a_decoders_thread_pulls_with_the_blocking_twin(house, phone):
    client = await phone("decoder").pair(house)
    live = await client.open_live((await client.cameras())[0].id, privet.LiveFormat.ACCESS_UNITS, 2000)

    def pull():
        # So many items, idle ones included: a minute at most.
        return [item for item in (live.next_blocking(1000) for _ in range(60)) if isinstance(item, privet.LiveItem.MEDIA)]

    pictures = await asyncio.to_thread(pull)
    assert pictures and pictures[0].key
    live.stop()


async def test_a_camera_that_goes_and_comes_is_told_and_shown_again(house, phone):
    client = await phone("patient").pair(house)
    camera = (await client.cameras())[0]
    live = await client.open_live(camera.id, privet.LiveFormat.FMP4, 2000)
    last = (await items(live, lambda seen: only(privet.LiveItem.MEDIA, seen)))[-1].frame

    def turned(online):
        return lambda e: isinstance(e, privet.Event.CAMERA_STATE) and (e.camera_id, e.online) == (camera.id, online)

    await house.do("camera", on=False)
    try:
        await event(client, turned(False))
    finally:
        await house.do("camera", on=True)
    await event(client, turned(True))
    # The view goes on by itself; its first new picture can be decoded.
    seen = await items(live, lambda seen: verified(seen[-1]) and seen[-1].first_frame > last)
    pictures = only(privet.LiveItem.MEDIA, seen)
    assert pictures and any(picture.key for picture in pictures)
    live.stop()


async def test_a_view_that_is_opened_again_at_once_goes_on_in_the_same_stream(house, phone):
    client = await phone("restless").pair(house)
    camera = (await client.cameras())[0]
    # The hub may just be ending the stream of a test before.
    (await watch(client, 2)).stop()
    streams = set()
    for _ in range(3):
        live = await client.open_live(camera.id, privet.LiveFormat.FMP4, 2000)
        seen = await items(live, lambda seen: sum(map(verified, seen)) >= 2)
        assert not only(privet.LiveItem.GAP, seen)
        streams |= {segment.stream for segment in only(privet.LiveItem.SEGMENT, seen)}
        live.stop()
    assert len(streams) == 1


async def test_an_unknown_camera_is_not_found(house, phone):
    client = await phone("wrong").pair(house)
    with pytest.raises(privet.CoreError.NotFound):
        await client.open_live("00" * 16, privet.LiveFormat.FMP4, 500)
