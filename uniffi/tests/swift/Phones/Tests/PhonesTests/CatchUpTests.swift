// A phone that was away, and a relay, a hub that were: afterwards nothing is missing.
import Privet
import XCTest

final class CatchUpTests: AtHome {
    func testAPhoneThatWasAwayHasWhatHappenedMeanwhile() async throws {
        let away = phone("away")
        let before = try await pair(away).newest()
        try await away.shut()

        // A clip and new phones: told while it was away.
        let clip = try await paired("home").finishedClip(besides: before)
        _ = try await paired("guest")

        let client = try await away.open()
        let synced = try await client.waitSynced(waitMs: 30_000)
        XCTAssertTrue(synced)
        // The catch-up of an app in the background: synced, then all that is told is there without waiting.
        var told: [Event] = []
        while let event = try await client.nextEvent(waitMs: 0) { told.append(event) }
        for name in ["home", "guest"] {
            XCTAssertTrue(told.contains { if case .devicesChanged(let what) = $0 { what.contains(name) } else { false } }, "\(told)")
        }
        XCTAssertTrue(told.contains { if case .clipReady(clip.id, _) = $0 { true } else { false } }, "\(told)")
        let report = try await client.openClip(clipId: clip.id).verify()
        XCTAssertTrue(report.ok, "\(report)")
    }

    func testWhatIsKnownIsThereWithoutARelay() async throws {
        let offline = phone("offline")
        let first = try await pair(offline)
        let clip = try await first.openClip(clipId: first.finishedClip().id)
        let whole = try await clip.len()
        try await offline.shut()
        try await house.without("relay") {
            let client = try await offline.open()
            let (synced, cameras) = try await (client.waitSynced(waitMs: 0), client.cameras().map(\.name))
            XCTAssertFalse(synced)
            XCTAssertEqual(self.house.cameras, cameras)
            // All of it was fetched, and is here still.
            let again = try await client.openClip(clipId: clip.info().id)
            let (length, report) = try await (again.len(), again.verify())
            XCTAssertEqual(whole, length)
            XCTAssertTrue(report.ok, "\(report)")
        }
    }

    func testARelayThatComesBackIsFoundAndLiveGoesOn() async throws {
        let client = try await paired("stubborn")
        let live = try await client.watch()
        let last = try await live.take { $0.last!.verified }.last!.segment!.last
        try await house.without("relay") {
            try await client.event("no relay") { if case .link(let state, _) = $0, state != .relay { () } else { nil } }
            let caughtUp = try await client.status().caughtUp
            XCTAssertFalse(caughtUp)
        }
        client.networkChanged()
        try await client.event("the relay") { if case .link(.relay, _) = $0 { () } else { nil } }
        let synced = try await client.waitSynced(waitMs: 30_000)
        XCTAssertTrue(synced)
        // The same view.
        try await live.take { $0.last!.verified && $0.last!.segment!.first > last }
        live.stop()
    }

    func testAHubThatWasRestartedIsTrustedAsBefore() async throws {
        let client = try await paired("loyal")
        let number = try await client.safetyNumber()
        try await house.without("hub") {}
        let live = try await until("a live view") {
            do { return try await client.live() } catch CoreError.Timeout, CoreError.Network { return nil }
        }
        try await live.take { $0.last!.verified }
        live.stop()
        let (after, alerts) = try await (client.safetyNumber(), client.status().alerts)
        XCTAssertEqual(number, after)
        XCTAssertTrue(alerts.isEmpty, "\(alerts)")
    }
}
