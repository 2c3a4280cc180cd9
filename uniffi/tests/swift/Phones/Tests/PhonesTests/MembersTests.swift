// Several phones in one home: all see each other and the camera; one that is removed is out, and the others go on.
import Privet
import XCTest

final class MembersTests: AtHome {
    func testThreePhonesSeeEachOtherAndTheCameraAtOnce() async throws {
        let names = ["ann", "ben", "cy"]
        var clients: [Client] = []
        for name in names { clients.append(try await paired(name)) }
        for (name, client) in zip(names, clients) {
            try await client.sees("ann", "ben", "cy")
            let mine = try await client.devices().filter(\.thisDevice).map(\.name)
            XCTAssertEqual([name], mine)
        }
        try await withThrowingTaskGroup(of: Live.self) { views in
            for client in clients { views.addTask { try await client.watch() } }
            for try await live in views { live.stop() }
        }
    }

    func testAPhoneThatAPhoneRemovedIsOut() async throws {
        try await isOut { client, name in
            try await client.removeDevice(deviceId: client.devices().first { $0.name == name }!.id)
        }
    }

    func testAPhoneThatTheHubRemovedIsOut() async throws {
        try await isOut { _, name in try await self.house.tell("remove", ["name": name]) }
    }

    /// And the others go on.
    private func isOut(_ remove: (Client, String) async throws -> Void) async throws {
        let name = "goes \(UUID().uuidString.prefix(4))"
        let stays = try await paired("stays")
        let goes = try await paired(name)
        let (kept, lost) = try await (stays.watch(), goes.watch())
        try await stays.sees(name)
        try await remove(stays, name)

        try await goes.event("its removal") { if case .removed = $0 { () } else { nil } }
        try await lost.ended()
        try await fails("Revoked") { try await goes.cameras() }
        let removed = try await goes.status().removed
        XCTAssertTrue(removed)
        // New pictures, under keys that the removed one has not.
        let last = try await kept.take { $0.last!.verified }.last!.segment!.last
        try await kept.take { $0.last!.verified && $0.last!.segment!.first > last }
        kept.stop()
        let (names, known) = try await (stays.names(), house.devices())
        XCTAssertFalse(names.contains(name) || known.contains(name))
    }

    func testANewNameIsToldToEverybody() async throws {
        let old = phone("old")
        let renamed = try await pair(old)
        let other = try await paired("witness")
        for wrong in ["", String(repeating: "x", count: 1000)] { try await fails("Invalid") { try await renamed.rename(name: wrong) } }
        try await renamed.rename(name: "Ada's new phone ✆")
        for client in [renamed, other] { try await client.sees("Ada's new phone ✆") }
        // Any device's, from any other.
        try await renamed.renameDevice(deviceId: renamed.devices().first { $0.name == "witness" }!.id, name: "kitchen")
        try await other.sees("kitchen")
        // Kept: it is the home's name for it, not the one that the app gives at each start.
        try await old.shut()
        let names = try await old.open().names()
        XCTAssertTrue(names.contains("Ada's new phone ✆"), "\(names)")
    }
}
