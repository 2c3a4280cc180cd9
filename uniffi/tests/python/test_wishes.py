"""What a phone's owner wants to be told of, and that it is told."""

import pytest

import privet
from phone import event, finished_clip, until


async def test_settings_are_kept_by_the_hub_and_come_back_as_they_were_said(house, phone):
    particular = phone("particular")
    client = await particular.pair(house)
    camera = (await client.cameras())[0]
    wished = privet.Settings(
        cameras=[
            privet.CameraSettings(
                camera_id=camera.id, notify=True, snooze_until_ms=None, cooldown_s=5, zones=[], health=False
            )
        ],
        away_only=False,
        quiet=[privet.QuietHours(days=0b0011111, from_min=1320, to_min=360)],
        time_zone="Europe/Berlin",
        profile=None,
    )
    await client.set_settings(wished)
    state = await client.settings()
    assert state.known and state.pending is None
    assert state.kept.cameras == wished.cameras and state.kept.quiet == wished.quiet
    assert state.kept.time_zone == "Europe/Berlin"

    wrong = privet.Settings(cameras=[], away_only=False, quiet=[], time_zone="Europe/Privet", profile=None)
    with pytest.raises(privet.CoreError.Invalid):
        await client.set_settings(wrong)

    await client.set_profile(privet.Profile.AWAY)
    assert (await client.settings()).kept.profile == privet.Profile.AWAY
    await client.set_profile(privet.Profile.HOME)
    await particular.shut()
    client = await particular.open()
    assert (await client.settings()).kept.quiet == wished.quiet


async def test_a_motion_is_told_to_who_wants_to_know(house, phone):
    client = await phone("curious").pair(house)
    camera = (await client.cameras())[0]
    state = await client.settings()
    # Otherwise a phone is told of the same camera once a minute at most.
    mine = privet.CameraSettings(
        camera_id=camera.id, notify=True, snooze_until_ms=None, cooldown_s=0, zones=[], health=True
    )
    await client.set_settings(
        privet.Settings(
            cameras=[mine], away_only=False, quiet=[], time_zone=state.kept.time_zone, profile=state.kept.profile
        )
    )
    told = await event(client, lambda e: isinstance(e, privet.Event.NOTIFIED))
    assert told.notification.kind == "motion" and told.notification.camera == camera.name
    assert told.notification.title and told.notification.event_id


async def test_a_clip_can_be_pinned(house, phone):
    client = await phone("keeper").pair(house)
    clip = await finished_clip(client)
    for pinned in (True, False):
        await client.pin(clip.id, pinned)
        await until("the hub's word", lambda: is_pinned(client, clip.id, pinned))


async def is_pinned(client, clip_id, pinned):
    page = await client.clips(None, 0, 2**62, None, 500)
    clip = next(clip for clip in page.clips if clip.id == clip_id)
    return clip.notes is not None and clip.notes.pinned == pinned
