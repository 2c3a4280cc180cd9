// What a phone's owner wants to be told of, and that it is told.
package app.privet.tests

import app.privet.*
import org.junit.jupiter.api.Assertions.*
import org.junit.jupiter.api.Test

class WishesTest : AtHome() {
    @Test
    fun `settings are kept by the hub and come back as they were said`() = bounded {
        val phone = phone("particular")
        val client = phone.pair()
        val camera = CameraSettings(client.camera().id, true, null, 5u, listOf(), false)
        val wished = Settings(listOf(camera), false, listOf(QuietHours(31u, 1320u, 360u)), "Europe/Berlin", null)
        client.setSettings(wished)
        val state = client.settings()
        assertTrue(state.known && state.pending == null)
        assertEquals(wished.cameras to wished.quiet, state.kept.cameras to state.kept.quiet)
        fails<CoreException.Invalid> { client.setSettings(wished.copy(timeZone = "Europe/Privet")) }
        client.setProfile(Profile.AWAY)
        assertEquals(Profile.AWAY, client.settings().kept.profile)
        client.setProfile(Profile.HOME)
        phone.shut()
        assertEquals(wished.quiet, phone.open().settings().kept.quiet)
    }

    @Test
    fun `a motion is told to who wants to know`() = bounded {
        val client = phone("curious").pair()
        val camera = client.camera()
        // Otherwise a phone is told of the same camera once a minute at most.
        val mine = CameraSettings(camera.id, true, null, 0u, listOf(), true)
        client.setSettings(client.settings().kept.copy(cameras = listOf(mine), quiet = listOf()))
        val told = client.event<Event.Notified>().notification
        assertEquals("motion" to camera.name, told.kind to told.camera)
        assertTrue(told.title.isNotEmpty() && told.eventId.isNotEmpty())
    }

    @Test
    fun `a clip can be pinned`() = bounded {
        val client = phone("keeper").pair()
        val clip = client.finishedClip()
        for (pinned in listOf(true, false)) {
            client.pin(clip.id, pinned)
            until("the hub's word") {
                client.clips(null, 0, EVER, null, 500u).clips.single { it.id == clip.id }.notes?.takeIf { it.pinned == pinned }
            }
        }
    }
}
