// A hub that was restarted, in a house of its own: a hub that comes back while the box crosses takes its place for
// moving for a minute (docs/design/0009-motion.md), and one long motion is not what the other tests are about.
package app.privet.tests

import app.privet.*
import org.junit.jupiter.api.Assertions.*
import org.junit.jupiter.api.Test

class RestartTest : AtHome() {
    @Test
    fun `a hub that was restarted is trusted as before`() = bounded {
        val client = phone("loyal").pair()
        val number = client.safetyNumber()
        house.tell("hub", "on" to false)
        house.tell("hub", "on" to true)
        val live = until("a live view") {
            try {
                client.live()
            } catch (_: CoreException.Timeout) {
                null
            } catch (_: CoreException.Network) {
                null
            }
        }
        live.take { it.last().verified }
        live.stop()
        assertEquals(number, client.safetyNumber())
        assertTrue(client.status().alerts.isEmpty())
    }
}
