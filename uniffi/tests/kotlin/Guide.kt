import app.privet.*
import java.io.File
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.takeWhile
import kotlinx.coroutines.launch

suspend fun guide(code: String, folder: File) = coroutineScope {
    // On Android: a KeyWrapper of your own over the Keystore.
    val client = Client.open(Config("$folder/home", "Ada's phone", 2048u, "1"), FileKeys("$folder/home.key"))
    if (!client.status().paired) client.pair(PairingOffer.parse(code))
    println("compare with the hub: ${client.safetyNumber()}")

    // What happens: to be shown, and never to be waited for on the side of the picture.
    launch {
        client.events().collect { event ->
            when (event) {
                is Event.Notified -> println(event.notification.title)
                is Event.TrustAlert -> println("to be shown to the person: ${event.what}")
                is Event.DevicesChanged -> println("to be shown to the person: ${event.what}")
                else -> {}
            }
        }
    }

    val camera = client.cameras().first()
    val live = client.openLive(camera.id, LiveFormat.ACCESS_UNITS, 500u)
    // A few seconds are enough here: until the first verdict.
    live.items().takeWhile { it !is LiveItem.Segment || it.trust !is Trust.Verified }.collect { item ->
        when (item) {
            is LiveItem.Format -> println("${item.codec} ${item.width}x${item.height}") // MediaCodec: item.header is its csd
            is LiveItem.Media -> Unit // for MediaCodec; item.trust is Pending: the verdict comes with its segment
            is LiveItem.Segment -> println("do not believe what you saw: ${item.trust}")
            is LiveItem.Gap -> println("not seen: ${item.reason}")
            is LiveItem.End, LiveItem.Idle -> Unit
        }
    }
    live.stop()

    var clip: ClipInfo? = null
    while (clip == null) {
        clip = client.clips(null, 0, Long.MAX_VALUE, null, 50u).clips.firstOrNull { it.finished }
        if (clip == null) delay(1000)
    }
    val film = "$folder/clip.mp4"
    client.openClip(clip.id).use { it.exportTo(film, true) }
    val report = verifyFile(film, client.trustRoots(camera.id))
    println("exported, and proven: ${report.ok && report.signerKnown}")
    client.shutDown()
}
