// Joining a home, and each way in which it can fail that a person may meet.
import Privet
import XCTest

final class PairingTests: AtHome {
    private func failure<T>(_ kind: PairingFailureKind, line: UInt = #line, _ call: () async throws -> T) async throws {
        guard case .Pairing(let failed, let reason) = try await fails("Pairing", line: line, call) else { return }
        XCTAssertEqual(kind, failed, line: line)
        XCTAssertFalse(reason.isEmpty, line: line)
    }

    func testAPhoneJoinsAndBothSidesKnowIt() async throws {
        let client = try await phone("ada").open()
        let offer = try await PairingOffer.parse(qr: house.offer())
        XCTAssertEqual(house.relay, offer.relay())
        XCTAssertFalse(offer.hubFingerprint().isEmpty)
        XCTAssertGreaterThan(offer.expiresMs(), 0)
        try await client.pair(offer: offer)
        let paired = try await client.status().paired
        XCTAssertTrue(paired)
        let known = try await house.devices()
        XCTAssertTrue(known.contains("ada"), "\(known)")
        let number = try await client.safetyNumber()
        XCTAssertEqual(60, number.filter(\.isNumber).count)
        let cameras = try await client.cameras().map(\.name)
        XCTAssertEqual(house.cameras, cameras)
        // A paired phone has one home.
        try await failure(.alreadyPaired) { try await client.pair(offer: PairingOffer.parse(qr: self.house.offer())) }
    }

    func testWhatIsNoCodeIsToldBeforeThereIsAnyNetwork() async throws {
        let code = try await house.offer()
        var changed = Array(code)
        changed[code.count / 2] = changed[code.count / 2] == "A" ? "B" : "A"
        try await failure(.notPrivet) { try PairingOffer.parse(qr: "https://example.org") }
        try await failure(.notPrivet) { try PairingOffer.parse(qr: "") }
        try await failure(.version) { try PairingOffer.parse(qr: code.replacingOccurrences(of: "PRIVET1", with: "PRIVET9")) }
        try await failure(.damaged) { try PairingOffer.parse(qr: String(changed)) }
        try await failure(.damaged) { try PairingOffer.parse(qr: String(code.dropLast(9))) }
    }

    func testACodeLetsOnePhoneIn() async throws {
        let code = try await house.offer()
        let first = try await phone("first").open()
        try await first.pair(offer: PairingOffer.parse(qr: code))
        let second = phone("second")
        let client = try await second.open()
        try await failure(.used) { try await client.pair(offer: PairingOffer.parse(qr: code)) }
        // The next code works, on the same store.
        try await pair(second)
        try await first.hears(of: "second")
    }

    func testARelayThatIsAwayIsSaid() async throws {
        let client = try await phone("early").open()
        let offer = try await PairingOffer.parse(qr: house.offer())
        try await house.without("relay") { try await self.failure(.relayUnreachable) { try await client.pair(offer: offer) } }
    }
}
