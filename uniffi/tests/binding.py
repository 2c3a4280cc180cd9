"""What the Python binding must do; run by python.rs with: folder of the binding, exported clip, its root, scratch folder."""

import asyncio
import sys

folder, clip, root, scratch = sys.argv[1:5]
sys.path.insert(0, folder)

import privet_uniffi as privet  # noqa: E402


class Keys(privet.KeyWrapper):
    """A keystore in Python, as an app would write one; can be told that its user pressed cancel."""

    def __init__(self, cancelled=False):
        self.cancelled = cancelled
        self.labels = []

    async def wrap(self, label, secret):
        self.labels.append(label)
        assert len(secret) == 32
        if self.cancelled:
            raise privet.CoreError.Keystore(reason="no finger on the sensor", user_cancelled=True)
        return bytes(b ^ 0x5A for b in secret)

    async def unwrap(self, label, blob):
        self.labels.append(label)
        return bytes(b ^ 0x5A for b in blob)


def config(name):
    return privet.Config(storage_dir=f"{scratch}/{name}", device_name="test", cache_limit_mib=16, app_version="0")


def verifies_what_was_sealed():
    report = privet.verify_file(clip, [bytes.fromhex(root)])
    assert report.ok and report.signer_known, report
    assert report.segments == 2 and report.frames_checked == 10, report
    data = open(clip, "rb").read()
    assert privet.verify_bytes(data, [bytes.fromhex(root)]).ok

    unknown = privet.verify_bytes(data, [])
    assert not unknown.signer_known, unknown

    changed = bytearray(data)
    changed[data.index(b"picture 1003")] ^= 1
    report = privet.verify_bytes(bytes(changed), [bytes.fromhex(root)])
    assert not report.ok and report.problems, report

    try:
        privet.verify_bytes(b"no clip at all", [])
        raise AssertionError("junk was accepted")
    except privet.CoreError.Tampered as error:
        assert error.reason


def refuses_a_wrong_code():
    try:
        privet.PairingOffer.parse("https://example.org")
        raise AssertionError("a wrong code was accepted")
    except privet.CoreError.Pairing as error:
        assert error.kind == privet.PairingFailureKind.NOT_PRIVET, error


def opens_notifications_without_a_store():
    keys = privet.NotificationKeys(secret=bytes(32), hub=bytes(32))
    try:
        privet.open_notification(keys, b"hello", 0)
        raise AssertionError("junk was taken for a notification")
    except privet.CoreError.Invalid as error:
        assert "notification" in error.reason, error
    try:
        privet.open_notification(privet.NotificationKeys(secret=b"short", hub=bytes(32)), b"", 0)
        raise AssertionError("a short key was taken")
    except privet.CoreError.Invalid as error:
        assert "32 bytes" in error.reason, error
    try:
        # The right version and length, sealed by nobody.
        privet.open_notification(keys, bytes([1]) + bytes(1663), 0)
        raise AssertionError("a forged notification was opened")
    except privet.CoreError.Tampered as error:
        assert error.reason


async def says_that_there_is_no_home(client):
    """Every call that needs one; each crosses the border with its arguments and its error."""
    camera = privet.CameraSettings(camera_id="00" * 16, notify=False, snooze_until_ms=None, cooldown_s=60, zones=["path"], health=True)
    quiet = privet.QuietHours(days=127, from_min=1320, to_min=360)
    settings = privet.Settings(cameras=[camera], away_only=True, quiet=[quiet], time_zone="Europe/Berlin", profile=privet.Profile.AWAY)
    target = privet.PushTarget.WEB_PUSH(endpoint="https://push.example", p256dh=bytes(65), auth=bytes(16))
    calls = [
        lambda: client.events(None, 0, 1, None, 10),
        lambda: client.thumbnail("00" * 16),
        lambda: client.pin("00" * 16, True),
        lambda: client.settings(),
        lambda: client.set_settings(settings),
        lambda: client.snooze("00" * 16, 1),
        lambda: client.snooze(None, None),
        lambda: client.set_profile(privet.Profile.HOME),
        lambda: client.register_push(target),
        lambda: client.register_push(privet.PushTarget.FCM(token="t")),
        lambda: client.register_push(privet.PushTarget.APNS(token="00", topic="app", sandbox=True)),
        lambda: client.unregister_push(),
        lambda: client.push_info(),
        lambda: client.notification_keys(),
        lambda: client.take_notification(b""),
        lambda: client.notification_shown("00" * 16),
    ]
    for call in calls:
        try:
            await call()
            raise AssertionError("it went without a home")
        except privet.CoreError.NotPaired:
            pass


async def opens_a_store_under_a_foreign_keystore():
    # The library calls the keystore from threads of its own: they must know where coroutines run.
    privet.uniffi_set_event_loop(asyncio.get_running_loop())
    keys = Keys()
    client = await privet.Client.open(config("phone"), keys)
    status = await client.status()
    assert not status.paired
    try:
        await client.cameras()
        raise AssertionError("cameras without a home")
    except privet.CoreError.NotPaired:
        pass
    await says_that_there_is_no_home(client)
    assert status.notifications is None
    try:
        await privet.Client.open(config("phone"), keys)
        raise AssertionError("the store was opened twice")
    except privet.CoreError.Busy:
        pass
    await client.shut_down()
    again = await privet.Client.open(config("phone"), keys)
    await again.shut_down()
    assert keys.labels[0] == keys.labels[-1]

    try:
        await privet.Client.open(config("other"), Keys(cancelled=True))
        raise AssertionError("a cancelled keystore was passed over")
    except privet.CoreError.Keystore as error:
        assert error.user_cancelled, error


assert privet.version() == sys.argv[5], privet.version()
verifies_what_was_sealed()
refuses_a_wrong_code()
opens_notifications_without_a_store()
asyncio.run(opens_a_store_under_a_foreign_keystore())
# Python ends the process when a thread of the library comes back to it after its end.
assert privet.settle(10_000)
print("the binding works")
