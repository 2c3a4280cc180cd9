package app.privet.example.core

import app.privet.Client
import app.privet.Config
import app.privet.CoreException
import app.privet.KeyWrapper
import app.privet.NotificationKeys
import app.privet.PairingFailureKind
import app.privet.openNotification
import app.privet.startOver
import app.privet.version
import com.sun.jna.Platform
import java.nio.file.Path
import kotlinx.coroutines.runBlocking
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Assumptions.assumeTrue
import org.junit.jupiter.api.BeforeEach
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir

/** The thin adapter against the real library, as far as that goes without a hub. */
class PrivetHomeTest {
    @TempDir
    lateinit var folder: Path

    private class Keystore(val cancelled: Boolean = false) : KeyWrapper {
        override suspend fun wrap(label: String, secret: ByteArray): ByteArray {
            if (cancelled) throw CoreException.Keystore("no finger on the sensor", true)
            return secret.map { (it.toInt() xor 0x5a).toByte() }.toByteArray()
        }
        override suspend fun unwrap(label: String, blob: ByteArray) = blob.map { (it.toInt() xor 0x5a).toByte() }.toByteArray()
    }

    private suspend fun open(name: String = "home", keys: KeyWrapper = Keystore()) =
        Client.open(Config(folder.resolve(name).toString(), "test", 16u, "0"), keys)

    /** In a jar of `./dev bindings` it is a resource. */
    @BeforeEach
    fun needsTheLibrary() = assumeTrue(
        System.getProperty("jna.library.path") != null ||
            javaClass.getResource("/${Platform.RESOURCE_PREFIX}/${System.mapLibraryName("privet_uniffi")}") != null,
        "SKIPPED, NOT TESTED: no native library",
    )

    @Test
    fun `a phone without a home says so everywhere`() = runBlocking {
        val client = open()
        val home = PrivetHome(client)
        assertEquals(false, home.status().paired)
        val timeline = Timeline(home)
        timeline.more()
        assertEquals(Then.PAIR_ANEW, timeline.state.value.problem!!.then)
        assertEquals(SyncResult.NEVER, sync(home, NotificationDesk(folder.resolve("shown").toFile()), 100) {})
        client.shutDown()
    }

    @Test
    fun `a wrong code is a hint, a damaged one a failure`() = runBlocking {
        val client = open()
        val pairing = Pairing(PrivetHome(client))
        pairing.scanned("https://example.org")
        assertTrue(pairing.step.value is PairingStep.Scan)
        pairing.scanned("PRIVET1:AAAA")
        assertEquals(Then.SCAN_AGAIN, (pairing.step.value as PairingStep.Failed).advice.then)
        val error = assertThrows(CoreException.Pairing::class.java) { PrivetHome(client).offer("PRIVET9:AAAA") }
        assertEquals(PairingFailureKind.VERSION, error.kind)
        client.shutDown()
    }

    @Test
    fun `the keystore is asked, may refuse, and the same store opens again`() = runBlocking {
        val refused = assertThrows(CoreException.Keystore::class.java) { runBlocking { open(keys = Keystore(cancelled = true)) } }
        assertTrue(refused.userCancelled)
        open().shutDown()
        open().shutDown()
    }

    @Test
    fun `a lost key is told from a refusal, and starting over makes a new phone`() = runBlocking {
        open().shutDown()
        val forgetful = object : KeyWrapper {
            override suspend fun wrap(label: String, secret: ByteArray) = secret
            override suspend fun unwrap(label: String, blob: ByteArray): ByteArray = throw CoreException.KeyLost("invalidated")
        }
        val lost = assertThrows(CoreException.KeyLost::class.java) { runBlocking { open(keys = forgetful) } }
        assertEquals(Then.START_OVER, advice(lost).then)
        startOver(folder.resolve("home").toString())
        open(keys = forgetful).shutDown()
    }

    @Test
    fun `in the background the store is free, and calls say where the app is`() = runBlocking {
        val client = open()
        val home = PrivetHome(client)
        home.background(4_000)
        assertThrows(CoreException.Background::class.java) { runBlocking { home.status() } }
        open().shutDown()
        home.foreground()
        assertEquals(false, home.status().paired)
        client.shutDown()
    }

    @Test
    fun `junk from a push service is no notification`() {
        assertTrue(version().isNotEmpty())
        val desk = NotificationDesk(folder.resolve("shown").toFile())
        val door = PushDoor(desk, { NotificationKeys(ByteArray(32), ByteArray(32)) }, ::openNotification, { error("shown") })
        assertTrue(door.arrived("hello".toByteArray(), 0) is Arrived.Unopened)
        assertTrue(door.arrived(ByteArray(1664).also { it[0] = 1 }, 0) is Arrived.Unopened)
    }
}
