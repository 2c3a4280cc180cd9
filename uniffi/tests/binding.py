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
asyncio.run(opens_a_store_under_a_foreign_keystore())
# Python ends the process when a thread of the library comes back to it after its end.
assert privet.settle(10_000)
print("the binding works")
