// Several phones in one home: all see each other and the camera; one that is removed is out, and the others go on.
package app.privet.tests

import app.privet.*
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.Assertions.*
import org.junit.jupiter.api.Test
import org.junit.jupiter.params.ParameterizedTest
import org.junit.jupiter.params.provider.ValueSource

class MembersTest : AtHome() {
    private suspend fun watch(client: Client): Live = client.live().also { it.take { seen -> seen.last().verified } }

    private suspend fun Client.see(vararg names: String) = until("$names") { Unit.takeIf { names().containsAll(names.toSet()) } }

    @Test
    fun `three phones see each other and the camera at once`() = bounded {
        val names = listOf("ann", "ben", "cy")
        val clients = names.map { phone(it).pair() }
        for ((name, client) in names.zip(clients)) {
            client.see("ann", "ben", "cy")
            assertEquals(listOf(name), client.devices().filter { it.thisDevice }.map { it.name })
        }
        clients.map { async { watch(it) } }.awaitAll().forEach { it.stop() }
    }

    @ParameterizedTest
    @ValueSource(strings = ["a phone", "the hub"])
    fun `a phone that is removed is out and the others go on`(by: String) = bounded {
        val stays = phone("stays, $by").pair()
        val goes = phone("goes, $by").pair()
        val kept = watch(stays)
        val lost = watch(goes)
        stays.see("goes, $by")
        if (by == "the hub") house.tell("remove", "name" to "goes, $by")
        else stays.removeDevice(stays.devices().single { it.name == "goes, $by" }.id)

        goes.event<Event.Removed>()
        assertTrue(goes.status().removed)
        fails<CoreException.Revoked> { goes.cameras() }
        fails<CoreException.Revoked> { goes.clips(null, 0, EVER, null, 1u) }
        withTimeout(SOON) { lost.ended() }

        // With new keys: what the phone that stays is shown from now on, the other could not open.
        kept.take { seen -> seen.count { it.verified } >= 3 }
        kept.stop()
        watch(stays).stop()
        assertFalse("goes, $by" in stays.names())
        assertFalse("goes, $by" in house.devices())
    }

    @Test
    fun `a removed phone may come back as a new one`() = bounded {
        val lost = phone("lost")
        val client = lost.pair()
        house.tell("remove", "name" to "lost")
        client.event<Event.Removed>()
        lost.pair()
        assertTrue(client.status().paired && client.cameras().isNotEmpty())
    }

    @Test
    fun `a new name is told to everybody`() = bounded {
        val old = phone("old")
        val renamed = old.pair()
        val other = phone("witness").pair()
        for (wrong in listOf("", "x".repeat(1000))) fails<CoreException.Invalid> { renamed.rename(wrong) }
        renamed.rename("Ada's new phone ✆")
        for (client in listOf(renamed, other)) client.see("Ada's new phone ✆")
        assertTrue("Ada's new phone ✆" in house.devices())
        // Kept: it is the home's name for it, not the one that the app gives at each start.
        old.shut()
        assertTrue("Ada's new phone ✆" in old.open().names())
    }
}
