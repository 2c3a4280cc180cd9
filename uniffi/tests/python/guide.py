import asyncio
import sys

import privet


async def main(code):
    config = privet.Config(storage_dir="home", device_name="Ada's laptop", cache_limit_mib=2048, app_version="1")
    client = await privet.Client.open(config, privet.FileKeys("home.key"))
    if not (await client.status()).paired:
        await client.pair(privet.PairingOffer.parse(code))
    print("compare with the hub:", await client.safety_number())

    # What happens: to be shown, and never to be waited for on the side of the picture.
    asyncio.create_task(tell(client))

    camera = (await client.cameras())[0]
    live = await client.open_live(camera.id, privet.LiveFormat.FMP4, 500)
    with open("live.mp4", "wb") as film:
        async for item in privet.items(live):
            match item:
                case privet.LiveItem.FORMAT(header=header):
                    film.write(header)
                case privet.LiveItem.MEDIA(data=data):
                    film.write(data)  # its trust is Pending: the verdict comes with its segment
                case privet.LiveItem.SEGMENT(trust=privet.Trust.VERIFIED()):
                    break  # a few seconds are enough here
                case privet.LiveItem.SEGMENT(trust=privet.Trust.BROKEN(why=why)):
                    print("do not believe what you saw:", why)
                case privet.LiveItem.GAP(reason=reason):
                    print("not seen:", reason.name)
    live.stop()

    while not (clips := [c for c in (await client.clips(None, 0, 2**62, None, 50)).clips if c.finished]):
        await asyncio.sleep(1)
    clip = await client.open_clip(clips[0].id)
    await clip.export_to("clip.mp4", True)
    report = privet.verify_file("clip.mp4", client.trust_roots(camera.id))
    print("exported, and proven:", report.ok and report.signer_known)
    await client.shut_down()


async def tell(client):
    async for event in privet.events(client):
        match event:
            case privet.Event.NOTIFIED(notification=notification):
                print(notification.title)
            case privet.Event.TRUST_ALERT(what=what) | privet.Event.DEVICES_CHANGED(what=what):
                print("to be shown to the person:", what)


asyncio.run(main(sys.argv[1]))
privet.settle(10_000)  # Python before 3.14 only: no thread of the library may come back to it after its end
