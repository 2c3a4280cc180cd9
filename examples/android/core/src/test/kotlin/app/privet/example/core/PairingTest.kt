package app.privet.example.core

import app.privet.CoreException
import app.privet.PairingFailureKind
import kotlinx.coroutines.runBlocking
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class PairingTest {
    private class Hub : FakeHome() {
        var offerFails: PairingFailureKind? = null
        var pairFails: CoreException? = null
        val tried = ArrayList<Offer>()

        override fun offer(qr: String) =
            offerFails?.let { throw CoreException.Pairing(it, "why") } ?: Offer(qr, "relay:1", "ab12", 0)
        override suspend fun pair(offer: Offer) {
            tried += offer
            pairFails?.let { throw it }
        }
        override suspend fun safetyNumber() = "12345 67890 11111\n22222"
    }

    private val hub = Hub()
    private val pairing = Pairing(hub)

    @Test
    fun `a code is looked at, then joined, then the number is compared in groups of five`() = runBlocking {
        pairing.scanned("PRIVET1:A")
        assertEquals(PairingStep.Confirm(Offer("PRIVET1:A", "relay:1", "ab12", 0)), pairing.step.value)
        assertTrue(hub.tried.isEmpty(), "nothing is sent before the person said so")
        pairing.join()
        assertEquals(PairingStep.Compare(listOf("12345", "67890", "11111", "22222")), pairing.step.value)
    }

    @Test
    fun `another thing's code leaves the viewfinder open`() {
        hub.offerFails = PairingFailureKind.NOT_PRIVET
        pairing.scanned("https://example.org")
        assertTrue((pairing.step.value as PairingStep.Scan).hint!!.contains("not a Privet code"))
        hub.offerFails = null
        pairing.scanned("PRIVET1:A")
        assertTrue(pairing.step.value is PairingStep.Confirm)
    }

    @Test
    fun `frames that come after the code change nothing`() {
        pairing.scanned("PRIVET1:A")
        pairing.scanned("PRIVET1:B")
        assertEquals("PRIVET1:A", (pairing.step.value as PairingStep.Confirm).offer.qr)
    }

    @Test
    fun `a silent hub is asked again with the same code`() = runBlocking {
        pairing.scanned("PRIVET1:A")
        hub.pairFails = CoreException.Pairing(PairingFailureKind.HUB_SILENT, "30 s")
        pairing.join()
        val failed = pairing.step.value as PairingStep.Failed
        assertEquals(Then.TRY_AGAIN, failed.advice.then)
        hub.pairFails = null
        pairing.join()
        assertTrue(pairing.step.value is PairingStep.Compare)
        assertEquals(hub.tried[0], hub.tried[1])
    }

    @Test
    fun `a code that is used up is not tried again`() = runBlocking {
        pairing.scanned("PRIVET1:A")
        hub.pairFails = CoreException.Pairing(PairingFailureKind.USED, "used")
        pairing.join()
        assertEquals(Then.SCAN_AGAIN, (pairing.step.value as PairingStep.Failed).advice.then)
        pairing.join()
        assertEquals(1, hub.tried.size)
        pairing.scanAgain()
        assertEquals(PairingStep.Scan(), pairing.step.value)
    }

    @Test
    fun `each failure has a text of its own`() {
        val texts = PairingFailureKind.entries.map { advice(it).text }
        assertEquals(texts.size, texts.toSet().size)
        assertTrue(texts.none { it.isBlank() })
    }
}
