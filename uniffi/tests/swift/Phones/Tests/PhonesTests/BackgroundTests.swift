// An app that goes to the background holds nothing that others wait for, and comes back without asking for a finger.
import Privet
import XCTest

final class BackgroundTests: AtHome {
    func testInTheBackgroundAnotherProcessMayHaveTheStore() async throws {
        let client = try await paired("ann")
        let live = try await client.watch()
        let busy = try await Other(folder, "ann", ["hold"]).says()
        XCTAssertEqual("Busy", busy)

        try await client.background(withinMs: 20_000)
        try await fails("Background") { try await client.cameras() }
        try await fails("Background") { try await client.status() }
        try await outcome(of: Task { try await live.ended() }, within: 5).get()
        // Said twice is said once.
        try await client.background(withinMs: 1000)

        let other = try Other(folder, "ann", ["hold"])
        let open = try await other.says()
        XCTAssertEqual("open", open)
        try await fails("Busy") { try await client.foreground() }
        other.goOn()
        let shut = try await other.says()
        XCTAssertEqual("shut", shut)
        try await client.foreground()
        try await client.foreground()
        let cameras = try await client.cameras().map(\.name)
        XCTAssertEqual(house.cameras, cameras)
        try await client.watch().stop()
    }

    func testWhatHappenedMeanwhileIsToldAndTheKeystoreIsAskedOnce() async throws {
        let keys = Keys()
        try await Client.open(config: config(folder, "ben"), keys: keys).shutDown()
        let before = keys.labels.all.count
        let client = try await Client.open(config: config(folder, "ben"), keys: keys)
        try await client.pair(offer: PairingOffer.parse(qr: house.offer()))
        let known = try await client.newest()
        try await client.background(withinMs: 20_000)
        let clip = try await paired("guest").finishedClip(besides: known)
        try await client.foreground()
        try await client.event("the clip") { if case .clipReady(clip.id, _) = $0 { () } else { nil } }
        XCTAssertEqual(1, keys.labels.all.count - before)
        // From the background straight to the end.
        try await client.background(withinMs: 20_000)
        try await client.shutDown()
        try await fails("Stopped") { try await client.foreground() }
    }
}
