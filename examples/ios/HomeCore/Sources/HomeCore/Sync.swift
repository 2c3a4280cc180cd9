import Foundation
import Privet

public enum SyncResult: Sendable { case done, again, never }

/// A catch-up in the background: says what was shown, waits until this phone has what the relay has, and takes what is there for
/// it. Media is not fetched. Notifications come right *after* the log, and only once somebody asked for events; so the end is a
/// moment without any, not the first empty answer.
public func sync(_ home: any Home, _ desk: NotificationDesk, budgetMs: Int, show: (NotificationDecision) -> Void) async -> SyncResult {
    do {
        for event in desk.untold() {
            try await home.notificationShown(event)
            desk.told(event)
        }
        var event = try await home.nextEvent(waitMs: 0)
        let synced = try await home.waitSynced(waitMs: budgetMs)
        for _ in 0..<512 {
            if case .notified(let notification)? = event { desk.deliver(notification, show: show) }
            event = try await home.nextEvent(waitMs: 2_000)
            if event == nil { break }
        }
        return synced ? .done : .again
    } catch {
        return outcome(error)
    }
}

/// Whether trying again later can help.
public func outcome(_ error: any Error) -> SyncResult {
    switch advice(error).then {
    case .tryAgain, .wait: .again
    default: .never
    }
}
