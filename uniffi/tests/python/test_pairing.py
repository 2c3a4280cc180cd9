"""Joining a home, and each way in which it can fail that a person may meet."""

import pytest

import privet
from phone import event


def failure(raised):
    return raised.value.kind


def kinds(text):
    with pytest.raises(privet.CoreError.Pairing) as raised:
        privet.PairingOffer.parse(text)
    assert raised.value.reason
    return failure(raised)


async def test_a_phone_joins_and_both_sides_know_it(house, phone):
    ada = phone("ada")
    client = await ada.open()
    offer = privet.PairingOffer.parse(await house.offer())
    assert offer.relay() == house.ready["relay"]
    assert offer.hub_fingerprint() and offer.expires_ms() > 0
    await client.pair(offer)

    status = await client.status()
    assert status.paired and status.hub_name
    assert "ada" in [device["name"] for device in (await house.do("devices"))["devices"]]
    number = await client.safety_number()
    assert len([c for c in number if c.isdigit()]) == 60
    assert [camera.name for camera in await client.cameras()] == house.ready["cameras"]

    # A paired phone has one home.
    with pytest.raises(privet.CoreError.Pairing) as raised:
        await client.pair(privet.PairingOffer.parse(await house.offer()))
    assert failure(raised) == privet.PairingFailureKind.ALREADY_PAIRED


async def test_what_is_no_code_is_told_before_there_is_any_network(house):
    assert kinds("https://example.org") == privet.PairingFailureKind.NOT_PRIVET
    assert kinds("") == privet.PairingFailureKind.NOT_PRIVET
    code = await house.offer()
    assert kinds(code.replace("PRIVET1", "PRIVET9")) == privet.PairingFailureKind.VERSION
    middle = len(code) // 2
    other = "A" if code[middle] != "A" else "B"
    assert kinds(code[:middle] + other + code[middle + 1 :]) == privet.PairingFailureKind.DAMAGED
    assert kinds(code[:-9]) == privet.PairingFailureKind.DAMAGED


async def test_a_code_lets_one_phone_in(house, phone):
    code = await house.offer()
    first = await phone("first").open()
    await first.pair(privet.PairingOffer.parse(code))
    second = phone("second")
    client = await second.open()
    with pytest.raises(privet.CoreError.Pairing) as raised:
        await client.pair(privet.PairingOffer.parse(code))
    assert failure(raised) == privet.PairingFailureKind.USED
    # The next code works, on the same store.
    await second.pair(house)
    await event(first, lambda e: isinstance(e, privet.Event.DEVICES_CHANGED) and "second" in e.what)


async def test_a_relay_that_is_away_is_said(house, phone):
    client = await phone("early").open()
    offer = privet.PairingOffer.parse(await house.offer())
    await house.do("relay", on=False)
    try:
        with pytest.raises(privet.CoreError.Pairing) as raised:
            await client.pair(offer)
        assert failure(raised) == privet.PairingFailureKind.RELAY_UNREACHABLE
    finally:
        await house.do("relay", on=True)
