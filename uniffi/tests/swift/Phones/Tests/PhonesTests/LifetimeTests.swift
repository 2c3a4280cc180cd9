// Objects that are let go of, waits that are stopped and processes that are killed, each in the middle of a call.
import Privet
import XCTest

final class LifetimeTests: AtHome {
    /// That the call ends at once, with an end or with `Stopped`; so much is a slow machine's.
    private func over<T>(_ call: Task<T, Error>, line: UInt = #line) async throws {
        do {
            let end = try await outcome(of: call, within: 5).get()
            if let item = end as? LiveItem { guard case .end = item else { return XCTFail("\(item)", line: line) } }
        } catch CoreError.Stopped {}
    }

    func testStopEndsAWaitAtOnce() async throws {
        let live = try await paired("impatient").watch()
        try await house.without("camera") {
            // Nothing comes any more: a wait for the next item is a real one.
            while try await live.next(waitMs: 1500) != .idle {}
            let waiting = Task { try await live.next(waitMs: 60_000) }
            let blocked = Task { try await blocking { try live.nextBlocking(waitMs: 60_000) } }
            try await Task.sleep(nanoseconds: 1_000_000)
            live.stop()
            try await over(waiting)
            try await over(blocked)
            try await fails("Stopped") { try await live.next(waitMs: 0) }
        }
    }

    func testShutDownEndsEveryWaitAtOnce() async throws {
        let client = try await paired("ends")
        let live = try await client.live()
        let pictures = Task { for try await _ in live.items() {} }
        let events = Task { for try await _ in client.events() {} }
        _ = try await client.status()
        try await client.shutDown()
        try await over(pictures)
        try await over(events)
        try await fails("Stopped") { try await client.cameras() }
        try await fails("Stopped") { try await client.nextEvent(waitMs: 0) }
    }

    func testATaskThatIsCancelledHurtsNobody() async throws {
        let client = try await paired("fickle")
        let live = try await client.live()
        let pictures = Task { for try await _ in live.items() {} }
        let events = Task { for try await _ in client.events() {} }
        _ = try await client.status()
        pictures.cancel()
        events.cancel()
        try await live.take { $0.last!.verified }
        live.stop()
        _ = try await paired("visitor")
        try await client.sees("visitor")
        try await client.shutDown()
        try await over(pictures)
        try await over(events)
    }

    func testWhatIsDroppedInTheMiddleOfACallIsGoneWithoutHarm() async throws {
        let client = try await paired("careless")
        let known = try await client.finishedClip()
        for _ in 0..<10 {
            // Only the calls hold them: the handles go when the calls are over.
            let calls = try await { () async throws -> [Task<Void, Error>] in
                let (live, clip) = try await (client.live(), client.openClip(clipId: known.id))
                let film = self.folder.appendingPathComponent("dropped.mp4").path
                return [
                    Task { _ = try await live.next(waitMs: 30_000) },
                    Task { try await clip.exportTo(path: film, withEvidence: true) },
                    Task { _ = try await clip.verify() },
                ]
            }()
            for call in calls { call.cancel() }
            for call in calls { _ = try await outcome(of: call, within: soon).get() }
        }
        let report = try await client.openClip(clipId: known.id).verify()
        XCTAssertTrue(report.ok, "\(report)")
        try await client.watch().stop()
    }

    func testAClientThatIsDroppedLetsGoOfItsStore() async throws {
        let dropped = phone("dropped")
        try await pair(dropped)
        dropped.client = nil
        let client = try await until("the store") {
            do { return try await dropped.open() } catch CoreError.Busy { return nil }
        }
        let paired = try await client.status().paired
        XCTAssertTrue(paired)
    }

    func testAProcessThatIsKilledWhileItWatchesLeavesAStoreThatOpens() async throws {
        try await leavesAStoreThatOpens { _ in ["live"] }
    }

    func testAProcessThatIsKilledWhileItExportsLeavesAStoreThatOpens() async throws {
        try await leavesAStoreThatOpens { ["export", try await $0.finishedClip().id, self.folder.appendingPathComponent("killed.mp4").path] }
    }

    private func leavesAStoreThatOpens(_ words: (Client) async throws -> [String]) async throws {
        let killed = phone("killed")
        let words = try await words(pair(killed))
        try await killed.shut()
        try await otherIsKilled(killed.name, words)
        let again = try await killed.open()
        let synced = try await again.waitSynced(waitMs: 30_000)
        XCTAssertTrue(synced)
        try await again.watch().stop()
        let alerts = try await again.status().alerts
        XCTAssertTrue(alerts.isEmpty, "\(alerts)")
    }

    // Pairing takes some hundred milliseconds: from its first moment to past its end.
    func testAPairingThatIsKilledIsDoneOrCanBeDoneAgain() async throws {
        for afterMs in [0, 50, 200] as [UInt64] {
            let cut = phone("cut after \(afterMs)")
            try await otherIsKilled(cut.name, ["pair", house.offer()], afterMs: afterMs)
            let client = try await cut.open()
            if try await !client.status().paired { try await pair(cut) }
            let (synced, cameras) = try await (client.waitSynced(waitMs: 30_000), client.cameras())
            XCTAssertTrue(synced && !cameras.isEmpty)
        }
    }

    private func otherIsKilled(_ name: String, _ words: [String], afterMs: UInt64 = 0) async throws {
        let other = try Other(folder, name, words)
        let said = try await [other.says(), other.says()]
        XCTAssertEqual(["open", "calling"], said)
        try await Task.sleep(nanoseconds: afterMs * 1_000_000)
        try other.kill()
    }
}
