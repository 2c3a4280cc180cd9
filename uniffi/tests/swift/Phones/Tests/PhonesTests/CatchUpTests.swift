// A phone that was away, and a relay that was: afterwards nothing is missing.
import Privet
import XCTest

final class CatchUpTests: AtHome {
    func testAPhoneThatWasAwayHasWhatHappenedMeanwhile() async throws {
        let away = phone("away")
        try await pair(away)
        try await away.shut()

        // A clip and new phones: told while it was away. Of a motion that began when both had joined: who joins is not told of earlier ones.
        let clip = try await paired("home").clipOfMotion()
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
        let events = try await client.events(cameraId: nil, fromMs: 0, toMs: ever, page: nil, limit: 50).events
        XCTAssertTrue(events.contains { $0.clipId == clip.id }, "\(events)")
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
}
