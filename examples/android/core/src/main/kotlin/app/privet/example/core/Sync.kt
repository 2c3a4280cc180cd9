package app.privet.example.core

import app.privet.CoreException
import app.privet.Event

enum class SyncResult { DONE, AGAIN, NEVER }

/**
 * A catch-up in the background: says what was shown, waits until this phone has what the relay has, and takes what is there for
 * it. Media is not fetched. Notifications come right *after* the log, and only once somebody asked for events; so the end is a
 * moment without any, not the first empty answer.
 */
suspend fun sync(home: Home, desk: NotificationDesk, budgetMs: Int, show: (NotificationDecision) -> Unit): SyncResult = try {
    for (eventId in desk.untold()) {
        home.notificationShown(eventId)
        desk.told(eventId)
    }
    var event = home.nextEvent(0)
    val synced = home.waitSynced(budgetMs)
    var left = MAX_EVENTS
    while (left-- > 0) {
        if (event is Event.Notified) desk.deliver(event.notification, show)
        event = home.nextEvent(QUIET_MS) ?: break
    }
    if (synced) SyncResult.DONE else SyncResult.AGAIN
} catch (error: CoreException) {
    outcome(error)
}

/** Whether trying again later can help. */
fun outcome(error: CoreException): SyncResult = when (advice(error).then) {
    Then.TRY_AGAIN, Then.WAIT -> SyncResult.AGAIN
    else -> SyncResult.NEVER
}

private const val QUIET_MS = 2_000
private const val MAX_EVENTS = 512
