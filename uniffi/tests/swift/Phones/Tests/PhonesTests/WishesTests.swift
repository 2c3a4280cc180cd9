// What a phone's owner wants to be told of, and that it is told.
import Privet
import XCTest

final class WishesTests: AtHome {
    func testSettingsAreKeptByTheHubAndComeBackAsTheyWereSaid() async throws {
        let phone = phone("particular")
        let client = try await pair(phone)
        let camera = CameraSettings(cameraId: try await client.cameras()[0].id, notify: true, snoozeUntilMs: nil, cooldownS: 5, zones: [], health: false)
        var wished = Settings(cameras: [camera], awayOnly: false, quiet: [QuietHours(days: 31, fromMin: 1320, toMin: 360)], timeZone: "Europe/Berlin", profile: nil)
        try await client.setSettings(settings: wished)
        let state = try await client.settings()
        XCTAssertTrue(state.known && state.pending == nil)
        XCTAssertEqual(wished.cameras, state.kept.cameras)
        XCTAssertEqual(wished.quiet, state.kept.quiet)
        try await client.setProfile(profile: .away)
        let profile = try await client.settings().kept.profile
        XCTAssertEqual(.away, profile)
        try await client.setProfile(profile: .home)
        try await phone.shut()
        let kept = try await phone.open().settings().kept
        XCTAssertEqual(wished.quiet, kept.quiet)
        wished.timeZone = "Europe/Privet"
        try await fails("Invalid") { try await phone.client!.setSettings(settings: wished) }
    }

    func testAMotionIsToldToWhoWantsToKnow() async throws {
        let client = try await paired("curious")
        let camera = try await client.cameras()[0]
        // Otherwise a phone is told of the same camera once a minute at most.
        var wished = try await client.settings().kept
        wished.cameras = [CameraSettings(cameraId: camera.id, notify: true, snoozeUntilMs: nil, cooldownS: 0, zones: [], health: true)]
        wished.quiet = []
        try await client.setSettings(settings: wished)
        let told = try await client.event("a motion") { if case .notified(let notification) = $0 { notification } else { nil } }
        XCTAssertEqual(["motion", camera.name], [told.kind, told.camera])
        XCTAssertFalse(told.title.isEmpty || told.eventId.isEmpty)
    }
}
