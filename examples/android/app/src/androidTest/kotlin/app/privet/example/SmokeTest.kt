package app.privet.example

import androidx.test.platform.app.InstrumentationRegistry
import app.privet.Client
import app.privet.Config
import app.privet.CoreException
import java.io.File
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Test

/** What only a device can show: that the library loads there, and that its keystore keeps the store's key. */
class SmokeTest {
    private val context = InstrumentationRegistry.getInstrumentation().targetContext

    @Test
    fun theStoreOpensAgainUnderTheKeystoresKey() = runBlocking {
        val folder = File(context.noBackupFilesDir, "smoke").apply { deleteRecursively() }
        repeat(2) {
            val client = Client.open(Config(folder.path, "smoke", 16u, "0"), KeystoreWrapper(context))
            assertFalse(client.status().paired)
            client.shutDown()
        }
    }

    @Test
    fun whatIsSealedForOneThingOpensForNoOther() {
        val keystore = KeystoreWrapper(context)
        val sealed = keystore.seal("one", byteArrayOf(1, 2, 3))
        assertArrayEquals(byteArrayOf(1, 2, 3), keystore.unseal("one", sealed))
        assertThrows(CoreException.KeyLost::class.java) { keystore.unseal("other", sealed) }
    }
}
