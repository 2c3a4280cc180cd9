import Foundation
import Privet

/// What the app asks of a home. Screens and tests know only this; `PrivetHome` is the one place that knows the library.
/// Every call may throw a `CoreError`; `advice` says what to tell the person.
public protocol Home: AnyObject, Sendable {
    func offer(_ qr: String) throws -> Offer
    func pair(_ offer: Offer) async throws
    func safetyNumber() async throws -> String

    func status() async throws -> Status
    func cameras() async throws -> [Camera]
    func clips(camera: String?, page: String?, limit: Int) async throws -> Page
    func happened(limit: Int) async throws -> [EventInfo]
    func thumbnail(_ clip: String) async throws -> Thumbnail?
    func openClip(_ clip: String) async throws -> any Recording
    func openLive(_ camera: String) async throws -> any LiveSource

    func devices() async throws -> [Device]
    func rename(_ name: String) async throws
    func removeDevice(_ device: String) async throws

    func settings() async throws -> SettingsState
    func setSettings(_ settings: Privet.Settings) async throws
    func setProfile(_ profile: Profile) async throws
    func snooze(camera: String?, untilMs: Int64?) async throws

    func pushInfo() async throws -> PushInfo
    func registerPush(_ target: PushTarget) async throws
    func notificationKeys() async throws -> NotificationKeys
    func notificationShown(_ event: String) async throws

    func listen(_ listener: (@Sendable (Event) -> Void)?)
    func nextEvent(waitMs: Int) async throws -> Event?
    func waitSynced(waitMs: Int) async throws -> Bool
    func networkChanged()

    /// Lets go of the store: afterwards the system may suspend this process.
    func background(withinMs: Int) async throws
    func foreground() async throws
}

/// What a QR code says.
public struct Offer: Equatable, Sendable {
    public let qr, relay, hubFingerprint: String
    public let expiresMs: Int64

    public init(qr: String, relay: String, hubFingerprint: String, expiresMs: Int64) {
        (self.qr, self.relay, self.hubFingerprint, self.expiresMs) = (qr, relay, hubFingerprint, expiresMs)
    }
}

/// A live view: `next` waits at most so long and is for a thread of its own; `stop` ends any wait.
public protocol LiveSource: AnyObject, Sendable {
    func next(waitMs: Int) throws -> LiveItem
    func stop()
}

/// A finished clip: `readAt` gives verified bytes, fetches what is missing, and is for a loader's thread.
public protocol Recording: AnyObject, Sendable {
    /// Pending while it is fetched, verified when all of it is here and was checked.
    func trust() -> Trust
    /// Its length, once all of it is here.
    func length() async throws -> Int
    func readAt(_ position: Int, max: Int) throws -> Data
    func verify() async throws -> VerifyReport
    func export(to path: String, withEvidence: Bool) async throws
    func stop()
}

public final class PrivetHome: Home {
    private let client: Client

    public init(_ client: Client) { self.client = client }

    public func offer(_ qr: String) throws -> Offer {
        let offer = try PairingOffer.parse(qr: qr)
        return Offer(qr: qr, relay: offer.relay(), hubFingerprint: offer.hubFingerprint(), expiresMs: offer.expiresMs())
    }
    public func pair(_ offer: Offer) async throws { try await client.pair(offer: PairingOffer.parse(qr: offer.qr)) }
    public func safetyNumber() async throws -> String { try await client.safetyNumber() }

    public func status() async throws -> Status { try await client.status() }
    public func cameras() async throws -> [Camera] { try await client.cameras() }
    public func clips(camera: String?, page: String?, limit: Int) async throws -> Page {
        try await client.clips(cameraId: camera, fromMs: 0, toMs: .max, page: page, limit: UInt32(limit))
    }
    public func happened(limit: Int) async throws -> [EventInfo] {
        try await client.events(cameraId: nil, fromMs: 0, toMs: .max, page: nil, limit: UInt32(limit)).events
    }
    public func thumbnail(_ clip: String) async throws -> Thumbnail? { try await client.thumbnail(clipId: clip) }
    public func openClip(_ clip: String) async throws -> any Recording { PrivetRecording(try await client.openClip(clipId: clip)) }
    public func openLive(_ camera: String) async throws -> any LiveSource {
        PrivetLive(try await client.openLive(cameraId: camera, format: .accessUnits, bufferMs: liveBufferMs))
    }

    public func devices() async throws -> [Device] { try await client.devices() }
    public func rename(_ name: String) async throws { try await client.rename(name: name) }
    public func removeDevice(_ device: String) async throws { try await client.removeDevice(deviceId: device) }

    public func settings() async throws -> SettingsState { try await client.settings() }
    public func setSettings(_ settings: Privet.Settings) async throws { try await client.setSettings(settings: settings) }
    public func setProfile(_ profile: Profile) async throws { try await client.setProfile(profile: profile) }
    public func snooze(camera: String?, untilMs: Int64?) async throws { try await client.snooze(cameraId: camera, untilMs: untilMs) }

    public func pushInfo() async throws -> PushInfo { try await client.pushInfo() }
    public func registerPush(_ target: PushTarget) async throws { try await client.registerPush(target: target) }
    public func notificationKeys() async throws -> NotificationKeys { try await client.notificationKeys() }
    public func notificationShown(_ event: String) async throws { try await client.notificationShown(eventId: event) }

    public func listen(_ listener: (@Sendable (Event) -> Void)?) { client.setListener(listener: listener.map(Listener.init)) }
    public func nextEvent(waitMs: Int) async throws -> Event? { try await client.nextEvent(waitMs: UInt32(waitMs)) }
    public func waitSynced(waitMs: Int) async throws -> Bool { try await client.waitSynced(waitMs: UInt32(waitMs)) }
    public func networkChanged() { client.networkChanged() }
    public func background(withinMs: Int) async throws { try await client.background(withinMs: UInt32(withinMs)) }
    public func foreground() async throws { try await client.foreground() }
}

/// How late the screen may be before pictures are dropped and told as a gap.
private let liveBufferMs: UInt32 = 800

private final class Listener: EventListener {
    private let tell: @Sendable (Event) -> Void
    init(_ tell: @escaping @Sendable (Event) -> Void) { self.tell = tell }
    func onEvent(event: Event) { tell(event) }
}

private final class PrivetLive: LiveSource {
    private let live: Live
    init(_ live: Live) { self.live = live }
    func next(waitMs: Int) throws -> LiveItem { try live.nextBlocking(waitMs: UInt32(waitMs)) }
    func stop() { live.stop() }
}

private final class PrivetRecording: Recording {
    private let clip: Clip
    init(_ clip: Clip) { self.clip = clip }
    func trust() -> Trust { clip.info().trust }
    func length() async throws -> Int { Int(try await clip.len()) }
    func readAt(_ position: Int, max: Int) throws -> Data { try clip.readAt(offset: UInt64(position), max: UInt32(max)) }
    func verify() async throws -> VerifyReport { try await clip.verify() }
    func export(to path: String, withEvidence: Bool) async throws { try await clip.exportTo(path: path, withEvidence: withEvidence) }
    func stop() { clip.stop() }
}
