// What needs no home: the library's version, clips under their proof, wrong codes, forged notifications, the keystore.
package app.privet.tests

import app.privet.*
import java.io.File
import kotlin.experimental.xor
import org.junit.jupiter.api.Assertions.*
import org.junit.jupiter.api.Test

/** A keystore in Kotlin, as an app would write one. What `fails` is, it throws. */
class Keys(private val fails: Exception? = null) : KeyWrapper {
    val labels = mutableListOf<String>()

    override suspend fun wrap(label: String, secret: ByteArray) = turn(label, secret)

    override suspend fun unwrap(label: String, blob: ByteArray) = turn(label, blob)

    private fun turn(label: String, bytes: ByteArray): ByteArray {
        labels += label
        fails?.let { throw it }
        return ByteArray(bytes.size) { bytes[it] xor 0x5A }
    }
}

class OfflineTest : Scratch() {
    private val sealed = File(System.getenv("PRIVET_SEALED_CLIP") ?: error("PRIVET_SEALED_CLIP says where the sealed clip is; ./dev test kotlin sets it"))

    @Test
    fun `the version is the workspace's`() = assertEquals(System.getenv("PRIVET_VERSION"), version())

    @Test
    fun `what was sealed verifies and nothing else`() = bounded {
        val clip = File(sealed, "clip.mp4")
        val root = File(sealed, "root.hex").readText().chunked(2).map { it.toInt(16).toByte() }.toByteArray()
        val report = verifyFile(clip.path, listOf(root))
        assertTrue(report.ok && report.signerKnown, "$report")
        assertEquals(2uL to 10uL, report.segments to report.framesChecked)
        assertEquals(OutageReason.CAMERA_LOST, report.gaps.single().reason)
        val data = clip.readBytes()
        assertTrue(verifyBytes(data, listOf(root)).ok)
        assertFalse(verifyBytes(data, listOf()).signerKnown)

        val changed = data.clone()
        val at = String(data, Charsets.ISO_8859_1).indexOf("picture 1003")
        changed[at] = changed[at] xor 1
        assertTrue(verifyBytes(changed, listOf(root)).let { !it.ok && it.problems.isNotEmpty() })
        fails<CoreException.Tampered> { verifyBytes("no clip at all".toByteArray(), listOf()) }
        fails<CoreException.Storage> { verifyFile("$clip.gone", listOf(root)) }
    }

    @Test
    fun `notifications open without a store`() = bounded {
        val keys = NotificationKeys(ByteArray(32), ByteArray(32))
        fails<CoreException.Invalid> { openNotification(keys, "hello".toByteArray(), 0) }
        fails<CoreException.Invalid> { openNotification(NotificationKeys(ByteArray(5), ByteArray(32)), ByteArray(0), 0) }
        // The right version and length, sealed by nobody.
        fails<CoreException.Tampered> { openNotification(keys, byteArrayOf(1) + ByteArray(1663), 0) }
    }

    @Test
    fun `every call that needs a home says so`() = bounded {
        val client = phone("homeless").open()
        val id = "00".repeat(16)
        val camera = CameraSettings(id, false, null, 60u, listOf("path"), true)
        val quiet = QuietHours(127u, 1320u, 360u)
        val settings = Settings(listOf(camera), true, listOf(quiet), "Europe/Berlin", Profile.AWAY)
        val calls = listOf<suspend () -> Any?>(
            { client.cameras() },
            { client.devices() },
            { client.safetyNumber() },
            { client.rename("x") },
            { client.removeDevice(id) },
            { client.clips(null, 0, 1, null, 10u) },
            { client.openClip(id) },
            { client.openLive(id, LiveFormat.FMP4, 500u) },
            { client.events(null, 0, 1, null, 10u) },
            { client.thumbnail(id) },
            { client.pin(id, true) },
            { client.settings() },
            { client.setSettings(settings) },
            { client.snooze(null, null) },
            { client.setProfile(Profile.HOME) },
            { client.registerPush(PushTarget.WebPush("https://push.example", ByteArray(65), ByteArray(16))) },
            { client.registerPush(PushTarget.Fcm("t")) },
            { client.registerPush(PushTarget.Apns("00", "app", true)) },
            { client.unregisterPush() },
            { client.pushInfo() },
            { client.notificationKeys() },
            { client.takeNotification(ByteArray(0)) },
            { client.notificationShown(id) },
        )
        for (call in calls) fails<CoreException.NotPaired> { call() }
        assertFalse(client.status().paired)
    }

    @Test
    fun `a store is opened by one at a time and under the same key`() = bounded {
        val keys = Keys()
        val client = Client.open(config(folder, "once"), keys)
        fails<CoreException.Busy> { Client.open(config(folder, "once"), keys) }
        client.shutDown()
        Client.open(config(folder, "once"), keys).shutDown()
        assertTrue(keys.labels.size >= 2 && keys.labels.toSet().size == 1, "${keys.labels}")
    }

    @Test
    fun `a person who presses cancel is told from a keystore that fails`() = bounded {
        val cancelled = CoreException.Keystore("no finger on the sensor", true)
        val error = fails<CoreException.Keystore> { Client.open(config(folder, "cancelled"), Keys(cancelled)) }
        assertTrue(error.userCancelled && error.reason == "no finger on the sensor")
        val broken = fails<CoreException.Keystore> { Client.open(config(folder, "broken"), Keys(IllegalStateException("the chip is gone"))) }
        assertTrue(!broken.userCancelled && "the chip is gone" in broken.reason, broken.reason)
        // Neither left anything in the way of the next try, nor does one that could wrap and then not unwrap.
        for (name in listOf("cancelled", "broken")) {
            Client.open(config(folder, name), Keys()).shutDown()
            fails<CoreException.Keystore> { Client.open(config(folder, name), Keys(cancelled)) }
            Client.open(config(folder, name), Keys()).shutDown()
        }
    }

    @Test
    fun `a key that is lost is said and the store can be begun anew`() = bounded {
        val client = Client.open(config(folder, "reset"), Keys())
        fails<CoreException.Busy> { startOver("$folder/reset") }
        client.shutDown()
        fails<CoreException.KeyLost> { Client.open(config(folder, "reset"), Keys(CoreException.KeyLost("the chip was reset"))) }
        startOver("$folder/reset")
        Client.open(config(folder, "reset"), Keys()).use { assertFalse(it.status().paired); it.shutDown() }
    }
}
