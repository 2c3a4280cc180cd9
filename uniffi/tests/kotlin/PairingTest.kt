// Joining a home, and each way in which it can fail that a person may meet.
package app.privet.tests

import app.privet.*
import org.junit.jupiter.api.Assertions.*
import org.junit.jupiter.api.Test

class PairingTest : AtHome() {
    private suspend fun kindOf(call: suspend () -> Any?) = fails<CoreException.Pairing> { call() }.also { assertFalse(it.reason.isEmpty()) }.kind

    @Test
    fun `a phone joins and both sides know it`() = bounded {
        val client = phone("ada").open()
        val offer = PairingOffer.parse(house.offer())
        assertEquals(house.relay, offer.relay())
        assertTrue(offer.hubFingerprint().isNotEmpty() && offer.expiresMs() > 0)
        client.pair(offer)
        assertTrue(client.status().paired)
        assertTrue("ada" in house.devices())
        assertEquals(60, client.safetyNumber().count { it.isDigit() })
        assertEquals(house.cameras, client.cameras().map { it.name })
        // A paired phone has one home.
        assertEquals(PairingFailureKind.ALREADY_PAIRED, kindOf { client.pair(PairingOffer.parse(house.offer())) })
    }

    @Test
    fun `what is no code is told before there is any network`() = bounded {
        val code = house.offer()
        val other = if (code[code.length / 2] == 'A') 'B' else 'A'
        assertEquals(PairingFailureKind.NOT_PRIVET, kindOf { PairingOffer.parse("https://example.org") })
        assertEquals(PairingFailureKind.NOT_PRIVET, kindOf { PairingOffer.parse("") })
        assertEquals(PairingFailureKind.VERSION, kindOf { PairingOffer.parse(code.replace("PRIVET1", "PRIVET9")) })
        assertEquals(PairingFailureKind.DAMAGED, kindOf { PairingOffer.parse(code.replaceRange(code.length / 2, code.length / 2 + 1, "$other")) })
        assertEquals(PairingFailureKind.DAMAGED, kindOf { PairingOffer.parse(code.dropLast(9)) })
    }

    @Test
    fun `a code lets one phone in`() = bounded {
        val code = house.offer()
        val first = phone("first").open()
        first.pair(PairingOffer.parse(code))
        val second = phone("second")
        val client = second.open()
        assertEquals(PairingFailureKind.USED, kindOf { client.pair(PairingOffer.parse(code)) })
        // The next code works, on the same store.
        second.pair()
        first.event<Event.DevicesChanged> { "second" in it.what }
    }

    @Test
    fun `a relay that is away is said`() = bounded {
        val client = phone("early").open()
        val offer = PairingOffer.parse(house.offer())
        house.tell("relay", "on" to false)
        try {
            assertEquals(PairingFailureKind.RELAY_UNREACHABLE, kindOf { client.pair(offer) })
        } finally {
            house.tell("relay", "on" to true)
        }
    }
}
