import Foundation
import HomeCore
import Privet

/// A home in which nothing is possible; a test says what it is about.
final class FakeHome: Home, @unchecked Sendable {
    var listener: (@Sendable (Event) -> Void)?
    var offers: (String) throws -> Offer = { _ in throw CoreError.NotPaired }
    var pairs: (Offer) throws -> Void = { _ in throw CoreError.NotPaired }
    var number = "12345 67890 11111\n22222"
    var statusOf: () throws -> Status = { throw CoreError.NotPaired }
    var camerasOf: () -> [Camera] = { [] }
    var pages: (String?, Int) throws -> Page = { _, _ in throw CoreError.NotPaired }
    var events: (Int) throws -> Event? = { _ in nil }
    var synced: () throws -> Bool = { true }
    var asked: [String] = []

    func offer(_ qr: String) throws -> Offer { try offers(qr) }
    func pair(_ offer: Offer) async throws { try pairs(offer) }
    func safetyNumber() async throws -> String { number }
    func status() async throws -> Status { try statusOf() }
    func cameras() async throws -> [Camera] { camerasOf() }
    func clips(camera: String?, page: String?, limit: Int) async throws -> Page { try pages(page, limit) }
    func happened(limit: Int) async throws -> [EventInfo] { [] }
    func thumbnail(_ clip: String) async throws -> Thumbnail? { throw CoreError.NotPaired }
    func openClip(_ clip: String) async throws -> any Recording { throw CoreError.NotPaired }
    func openLive(_ camera: String) async throws -> any LiveSource { throw CoreError.NotPaired }
    func devices() async throws -> [Device] { throw CoreError.NotPaired }
    func rename(_ name: String) async throws { throw CoreError.NotPaired }
    func removeDevice(_ device: String) async throws { throw CoreError.NotPaired }
    func settings() async throws -> SettingsState { throw CoreError.NotPaired }
    func setSettings(_ settings: Privet.Settings) async throws { throw CoreError.NotPaired }
    func setProfile(_ profile: Profile) async throws { throw CoreError.NotPaired }
    func snooze(camera: String?, untilMs: Int64?) async throws { throw CoreError.NotPaired }
    func pushInfo() async throws -> PushInfo { throw CoreError.NotPaired }
    func registerPush(_ target: PushTarget) async throws { throw CoreError.NotPaired }
    func notificationKeys() async throws -> NotificationKeys { throw CoreError.NotPaired }
    func notificationShown(_ event: String) async throws { asked.append("shown \(event)") }
    func listen(_ listener: (@Sendable (Event) -> Void)?) { self.listener = listener }
    func nextEvent(waitMs: Int) async throws -> Event? {
        asked.append("event \(waitMs)")
        return try events(waitMs)
    }
    func waitSynced(waitMs: Int) async throws -> Bool {
        asked.append("synced")
        return try synced()
    }
    func networkChanged() {}
    func background(withinMs: Int) async throws { asked.append("background") }
    func foreground() async throws { asked.append("foreground") }
}

func aStatus(paired: Bool = true) -> Status {
    Status(
        paired: paired, removed: false, hubName: "Hub", relay: "relay.example:4433", link: .relay, linkReason: nil, caughtUp: true,
        position: 1, relayHead: 1, hubSeenMs: nil, outbox: 0, alerts: [], cacheBytes: 0, notifications: nil
    )
}

func aCamera(_ id: String, online: Bool = true) -> Camera {
    Camera(id: id, name: "Gate", online: online, width: 1280, height: 720, codec: "avc1.64001f", signer: "ab12 cd34")
}

func aClip(_ id: String, startMs: Int64 = 0) -> ClipInfo {
    ClipInfo(
        id: id, cameraId: "gate", startMs: startMs, durationMs: 1_000, bytes: 1, firstSegment: 0, finished: true, local: false,
        trust: .pending, notes: nil
    )
}

func aNotification(_ event: String, counter: UInt64 = 1, stale: Bool = false, body: String = "") -> Privet.Notification {
    Privet.Notification(
        eventId: event, title: "Gate: motion", body: body, text: "Gate: motion", kind: "motion", severity: "info", home: "Ann's home",
        camera: "Gate", cameraId: nil, clipId: nil, zones: [], atMs: 0, late: false, stale: stale, counter: counter, picture: nil
    )
}

/// Gives what it was given, then says that the app stopped it.
final class Script: LiveSource, @unchecked Sendable {
    private var left: [LiveItem]
    init(_ items: [LiveItem]) { left = items }
    func next(waitMs: Int) throws -> LiveItem {
        if left.isEmpty { throw CoreError.Stopped }
        return left.removeFirst()
    }
    func stop() {}
}

final class FakeRecording: Recording, @unchecked Sendable {
    let bytes: Data
    var reads: [(Int, Int)] = []
    init(_ bytes: Data) { self.bytes = bytes }
    func trust() -> Trust { .pending }
    func length() async throws -> Int { bytes.count }
    func readAt(_ position: Int, max: Int) throws -> Data {
        reads.append((position, max))
        return position < bytes.count ? bytes.subdata(in: position..<Swift.min(bytes.count, position + max)) : Data()
    }
    func verify() async throws -> VerifyReport { throw CoreError.Stopped }
    func export(to path: String, withEvidence: Bool) async throws {}
    func stop() {}
}

/// What a closure on another thread writes down.
final class Box<Value>: @unchecked Sendable {
    var value: Value
    init(_ value: Value) { self.value = value }
}

func aFolder() -> URL { FileManager.default.temporaryDirectory.appending(path: "privet-\(UUID().uuidString)") }
