import Foundation
import Privet

/// What the system is given, under `id`: the same id replaces.
public struct Card: Equatable, Sendable {
    public let id, title, text, severity: String
    public let atMs: Int64
    public let late: Bool
    public let picture: Data?
    public let clip: String?

    public init(_ notification: Privet.Notification) {
        (id, title, severity) = (notification.eventId, notification.title, notification.severity)
        text = notification.body.isEmpty ? notification.home : notification.body
        (atMs, late, picture, clip) = (notification.atMs, notification.late, notification.picture, notification.clipId)
    }
}

public enum NotificationDecision: Equatable, Sendable {
    public enum Why: Sendable { case stale, shown }

    /// New: may ring.
    case show(Card)
    /// More about an event that was shown: no sound.
    case replace(Card)
    case drop(Why)
}

/// Decides about each notification once, whichever way it comes: extension, open connection, or both. One small file an event,
/// written whole: extension and app never wait for each other, and nobody holds a lock when the system suspends it.
public struct NotificationDesk: Sendable {
    private static let kept = 300
    private let folder: URL

    public init(_ folder: URL) { self.folder = folder }

    /// Shows it before it is remembered: after a crash in between it comes again and takes its own place.
    @discardableResult
    public func deliver(_ notification: Privet.Notification, show: (NotificationDecision) -> Void) -> NotificationDecision {
        let decision = decide(notification)
        if case .drop = decision { return decision }
        show(decision)
        write(notification.eventId, "\(notification.counter) 0")
        forget()
        return decision
    }

    /// Events whose notification was shown and of which the library does not know it.
    public func untold() -> [String] { files().filter { read($0)?.told == false } }

    public func told(_ event: String) {
        guard let known = read(event) else { return }
        write(event, "\(known.counter) 1")
    }

    func decide(_ notification: Privet.Notification) -> NotificationDecision {
        if notification.stale { return .drop(.stale) }
        guard let before = read(notification.eventId) else { return .show(Card(notification)) }
        // The same bytes again, or ones that were overtaken.
        return notification.counter <= before.counter ? .drop(.shown) : .replace(Card(notification))
    }

    private func read(_ event: String) -> (counter: UInt64, told: Bool)? {
        guard isName(event), let text = try? String(contentsOf: folder.appending(path: event), encoding: .utf8) else { return nil }
        let parts = text.split(separator: " ")
        guard parts.count == 2, let counter = UInt64(parts[0]) else { return nil }
        return (counter, parts[1] == "1")
    }

    /// A full disk keeps nobody from being told; then the same one may come twice, under its own id.
    private func write(_ event: String, _ text: String) {
        guard isName(event) else { return }
        try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        // Readable while the phone is locked, as the keys are.
        try? Data(text.utf8).write(to: folder.appending(path: event), options: [.atomic, .completeFileProtectionUntilFirstUserAuthentication])
    }

    /// Ids are hexadecimal; anything else is no name of a file.
    private func isName(_ event: String) -> Bool { !event.isEmpty && event.allSatisfy { $0.isHexDigit && $0.isASCII } }

    private func files() -> [String] { ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).filter(isName) }

    private func forget() {
        let all = files()
        guard all.count > Self.kept else { return }
        let age = { (name: String) in
            (try? folder.appending(path: name).resourceValues(forKeys: [.contentModificationDateKey]))?.contentModificationDate ?? .distantPast
        }
        for old in all.map({ ($0, age($0)) }).sorted(by: { $0.1 < $1.1 }).prefix(all.count - Self.kept) {
            try? FileManager.default.removeItem(at: folder.appending(path: old.0))
        }
    }
}

/// What a push message turned out to be.
public enum Arrived: Equatable, Sendable {
    case decided(NotificationDecision)
    /// Nothing in it: it was too long for the push service and waits at the relay.
    case call
    /// Not from this home's hub for this phone, or from a newer one, or there are no keys yet. Nobody is shown anything of it.
    case unopened(String)
}

/// Opens what a push service brought: no store, no network, no lock. `open` is the library's `openNotification`.
public struct PushDoor {
    private let desk: NotificationDesk
    private let keys: () -> NotificationKeys?
    private let open: (NotificationKeys, Data, Int64) throws -> Privet.Notification

    public init(
        _ desk: NotificationDesk, keys: @escaping () -> NotificationKeys?,
        open: @escaping (NotificationKeys, Data, Int64) throws -> Privet.Notification
    ) {
        (self.desk, self.keys, self.open) = (desk, keys, open)
    }

    public func arrived(_ payload: Data, nowMs: Int64, show: (NotificationDecision) -> Void) -> Arrived {
        if payload.isEmpty { return .call }
        guard let keys = keys() else { return .unopened("no keys yet") }
        do {
            return .decided(desk.deliver(try open(keys, payload, nowMs), show: show))
        } catch {
            return .unopened(advice(error).text)
        }
    }
}
