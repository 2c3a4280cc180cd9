package app.privet.example.core

import app.privet.Camera
import app.privet.CoreException
import app.privet.Event
import app.privet.EventInfo
import app.privet.Notification
import app.privet.Status
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.channels.BufferOverflow
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.flow.MutableSharedFlow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.SharedFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asSharedFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch

/** What every screen sees of the home. */
data class HomeState(
    /** Null until it was read. */
    val status: Status? = null,
    val cameras: List<Camera> = emptyList(),
    /** What happened last, newest first: also what no push service brought. */
    val lately: List<EventInfo> = emptyList(),
    /** Who joined or left since the app was opened, newest last. To be shown: an unexpected join is how a stolen code is noticed. */
    val news: List<String> = emptyList(),
    val problem: Advice? = null,
) {
    val paired get() = status?.paired == true
}

/**
 * Keeps [state] true. Events say only *that* something changed; what there is, is always read from the library, so nothing can
 * drift apart, and a burst of events costs one reading.
 */
class HomeModel(private val home: Home, private val notify: (Notification) -> Unit) {
    private val now = MutableStateFlow(HomeState())
    private val told = MutableSharedFlow<Event>(extraBufferCapacity = 64, onBufferOverflow = BufferOverflow.DROP_OLDEST)
    private val changed = Channel<Unit>(Channel.CONFLATED)

    val state: StateFlow<HomeState> = now.asStateFlow()
    val events: SharedFlow<Event> = told.asSharedFlow()

    /** Listens until [stop]; reads in [scope]. */
    fun start(scope: CoroutineScope) {
        home.listen(::on)
        scope.launch { for (change in changed) read() }
        refresh()
    }

    /** From here on notifications are left to the relay, which wakes this phone. */
    fun stop() = home.listen(null)

    fun refresh() {
        changed.trySend(Unit)
    }

    /** On the library's thread. A notification counts as seen when this returns, so it is shown before. */
    private fun on(event: Event) {
        when (event) {
            is Event.Notified -> notify(event.notification)
            is Event.DevicesChanged -> say(event.what)
            is Event.Rejoined -> say("This phone had fallen behind and was let in again; it missed what was in between.")
            else -> {}
        }
        told.tryEmit(event)
        refresh()
    }

    private fun say(what: String) = now.update { it.copy(news = (it.news + what).takeLast(NEWS)) }

    private suspend fun read() {
        try {
            val status = home.status()
            val cameras = if (status.paired) home.cameras() else emptyList()
            val lately = if (status.paired) home.happened(LATELY) else emptyList()
            now.update { it.copy(status = status, cameras = cameras, lately = lately, problem = null) }
        } catch (_: CoreException.Background) {
            // What is here stays on the screen that nobody sees; coming back reads anew.
        } catch (error: CoreException) {
            now.update { it.copy(problem = advice(error)) }
        }
    }

    private companion object {
        const val NEWS = 20
        const val LATELY = 50
    }
}

/** How a wish that was said to the hub came out. */
sealed interface Said {
    data object Kept : Said
    /** No failure: it stands, is shown as pending, and takes effect when the hub hears of it. */
    data class Waits(val where: String) : Said
    data class Failed(val advice: Advice) : Said
}

suspend fun say(wish: suspend () -> Unit): Said = try {
    wish()
    Said.Kept
} catch (error: CoreException.Timeout) {
    Said.Waits(error.what)
} catch (error: CoreException) {
    Said.Failed(advice(error))
}
