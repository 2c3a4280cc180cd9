"""What needs no home: the library's version, clips under their proof, wrong codes, forged notifications, the keystore."""

import os

import pytest

import privet
from phone import config


class Keys(privet.KeyWrapper):
    """A keystore in Python, as an app would write one. What `fails` is, it raises."""

    def __init__(self, fails=None):
        self.fails = fails
        self.labels = []

    async def wrap(self, label, secret):
        self.labels.append(label)
        assert len(secret) == 32
        if self.fails:
            raise self.fails
        return bytes(b ^ 0x5A for b in secret)

    async def unwrap(self, label, blob):
        self.labels.append(label)
        if self.fails:
            raise self.fails
        return bytes(b ^ 0x5A for b in blob)


def test_the_version_is_the_workspaces():
    assert privet.version() == os.environ.get("PRIVET_VERSION", privet.version())


def test_what_was_sealed_verifies_and_nothing_else(sealed):
    clip, root = sealed
    report = privet.verify_file(str(clip), [root])
    assert report.ok and report.signer_known, report
    assert report.segments == 2 and report.frames_checked == 10, report
    assert report.time_end_ms - report.time_claim_ms == 2000, report
    [gap] = report.gaps
    assert gap.reason == privet.OutageReason.CAMERA_LOST, gap
    assert (gap.from_ms - report.time_claim_ms, gap.until_ms - gap.from_ms) == (400, 600), gap
    data = clip.read_bytes()
    assert privet.verify_bytes(data, [root]).ok
    assert not privet.verify_bytes(data, []).signer_known

    changed = bytearray(data)
    changed[data.index(b"picture 1003")] ^= 1
    report = privet.verify_bytes(bytes(changed), [root])
    assert not report.ok and report.problems, report

    with pytest.raises(privet.CoreError.Tampered) as raised:
        privet.verify_bytes(b"no clip at all", [])
    assert raised.value.reason
    with pytest.raises(privet.CoreError.Storage):
        privet.verify_file(str(clip) + ".gone", [root])


def test_notifications_open_without_a_store():
    keys = privet.NotificationKeys(secret=bytes(32), hub=bytes(32))
    with pytest.raises(privet.CoreError.Invalid, match="notification"):
        privet.open_notification(keys, b"hello", 0)
    with pytest.raises(privet.CoreError.Invalid, match="32 bytes"):
        privet.open_notification(privet.NotificationKeys(secret=b"short", hub=bytes(32)), b"", 0)
    # The right version and length, sealed by nobody.
    with pytest.raises(privet.CoreError.Tampered):
        privet.open_notification(keys, bytes([1]) + bytes(1663), 0)


async def test_every_call_that_needs_a_home_says_so(phone):
    """Each crosses the border with its arguments and its error."""
    client = await phone("homeless").open()
    camera = privet.CameraSettings(
        camera_id="00" * 16, notify=False, snooze_until_ms=None, cooldown_s=60, zones=["path"], health=True
    )
    quiet = privet.QuietHours(days=127, from_min=1320, to_min=360)
    settings = privet.Settings(
        cameras=[camera], away_only=True, quiet=[quiet], time_zone="Europe/Berlin", profile=privet.Profile.AWAY
    )
    push = privet.PushTarget.WEB_PUSH(endpoint="https://push.example", p256dh=bytes(65), auth=bytes(16))
    calls = [
        client.cameras,
        client.devices,
        client.safety_number,
        lambda: client.rename("x"),
        lambda: client.remove_device("00" * 16),
        lambda: client.clips(None, 0, 1, None, 10),
        lambda: client.open_clip("00" * 16),
        lambda: client.open_live("00" * 16, privet.LiveFormat.FMP4, 500),
        lambda: client.events(None, 0, 1, None, 10),
        lambda: client.thumbnail("00" * 16),
        lambda: client.pin("00" * 16, True),
        client.settings,
        lambda: client.set_settings(settings),
        lambda: client.snooze("00" * 16, 1),
        lambda: client.snooze(None, None),
        lambda: client.set_profile(privet.Profile.HOME),
        lambda: client.register_push(push),
        lambda: client.register_push(privet.PushTarget.FCM(token="t")),
        lambda: client.register_push(privet.PushTarget.APNS(token="00", topic="app", sandbox=True)),
        client.unregister_push,
        client.push_info,
        client.notification_keys,
        lambda: client.take_notification(b""),
        lambda: client.notification_shown("00" * 16),
    ]
    for call in calls:
        with pytest.raises(privet.CoreError.NotPaired):
            await call()
    status = await client.status()
    assert not status.paired and status.notifications is None


async def test_a_store_is_opened_by_one_at_a_time_and_under_the_same_key(loop, tmp_path):
    keys = Keys()
    client = await privet.Client.open(config(tmp_path, "phone"), keys)
    with pytest.raises(privet.CoreError.Busy):
        await privet.Client.open(config(tmp_path, "phone"), keys)
    await client.shut_down()
    again = await privet.Client.open(config(tmp_path, "phone"), keys)
    await again.shut_down()
    assert len(keys.labels) >= 2 and len(set(keys.labels)) == 1


async def test_a_person_who_presses_cancel_is_told_from_a_keystore_that_fails(loop, tmp_path):
    cancelled = privet.CoreError.Keystore(reason="no finger on the sensor", user_cancelled=True)
    with pytest.raises(privet.CoreError.Keystore, match="") as raised:
        await privet.Client.open(config(tmp_path, "cancelled"), Keys(cancelled))
    assert raised.value.user_cancelled and raised.value.reason == "no finger on the sensor"

    broken = Keys(RuntimeError("the chip is gone"))
    with pytest.raises(privet.CoreError.Keystore) as raised:
        await privet.Client.open(config(tmp_path, "broken"), broken)
    assert not raised.value.user_cancelled and "the chip is gone" in raised.value.reason

    # Neither left anything in the way of the next try, nor did one that could wrap and then not unwrap.
    for name in ("cancelled", "broken"):
        client = await privet.Client.open(config(tmp_path, name), Keys())
        await client.shut_down()
        with pytest.raises(privet.CoreError.Keystore):
            await privet.Client.open(config(tmp_path, name), Keys(cancelled))
        await (await privet.Client.open(config(tmp_path, name), Keys())).shut_down()


async def test_a_key_that_is_lost_is_said_and_the_store_can_be_begun_anew(loop, tmp_path):
    client = await privet.Client.open(config(tmp_path, "phone"), Keys())
    with pytest.raises(privet.CoreError.Busy):
        privet.start_over(str(tmp_path / "phone"))
    await client.shut_down()
    with pytest.raises(privet.CoreError.KeyLost) as raised:
        await privet.Client.open(config(tmp_path, "phone"), Keys(privet.CoreError.KeyLost(reason="the chip was reset")))
    assert "the chip was reset" in raised.value.reason
    privet.start_over(str(tmp_path / "phone"))
    client = await privet.Client.open(config(tmp_path, "phone"), Keys())
    assert not (await client.status()).paired
    await client.shut_down()
