// What needs no home: the library's version, clips under their proof, forged notifications, the keystore.
import Privet
import XCTest

/// A keystore in Swift, as an app would write one. What `fails` is, it throws.
final class Keys: KeyWrapper, @unchecked Sendable {
    let labels = Told<String>()
    private let fails: Error?

    init(_ fails: Error? = nil) {
        self.fails = fails
    }

    func wrap(label: String, secret: Data) async throws -> Data { try turn(label, secret) }
    func unwrap(label: String, blob: Data) async throws -> Data { try turn(label, blob) }

    private func turn(_ label: String, _ bytes: Data) throws -> Data {
        labels.add(label)
        if let fails { throw fails }
        return Data(bytes.map { $0 ^ 0x5A })
    }
}

final class OfflineTests: Scratch {
    private func open(_ name: String, _ keys: Keys = Keys()) async throws -> Client {
        try await Client.open(config: config(folder, name), keys: keys)
    }

    func testTheVersionIsTheWorkspaces() {
        XCTAssertEqual(environment("PRIVET_VERSION"), version())
    }

    func testWhatWasSealedVerifiesAndNothingElse() async throws {
        let sealed = try URL(fileURLWithPath: XCTUnwrap(environment("PRIVET_SEALED_CLIP"), "it says where the sealed clip is; ./dev test swift sets it"))
        let clip = sealed.appendingPathComponent("clip.mp4")
        let hex = Array(try String(contentsOf: sealed.appendingPathComponent("root.hex"), encoding: .utf8).utf8).split(separator: 0x0A)[0]
        let root = Data(stride(from: hex.startIndex, to: hex.endIndex, by: 2).map { UInt8(String(decoding: hex[$0..<$0 + 2], as: UTF8.self), radix: 16)! })
        let report = try verifyFile(path: clip.path, trustRoots: [root])
        XCTAssertTrue(report.ok && report.signerKnown, "\(report)")
        XCTAssertEqual([2, 10], [report.segments, report.framesChecked])
        XCTAssertEqual([.cameraLost], report.gaps.map(\.reason))
        let data = try Data(contentsOf: clip)
        XCTAssertTrue(try verifyBytes(data: data, trustRoots: [root]).ok)
        XCTAssertFalse(try verifyBytes(data: data, trustRoots: []).signerKnown)

        var changed = data
        changed[data.range(of: Data("picture 1003".utf8))!.lowerBound] ^= 1
        let broken = try verifyBytes(data: changed, trustRoots: [root])
        XCTAssertTrue(!broken.ok && !broken.problems.isEmpty, "\(broken)")
        try await fails("Tampered") { try verifyBytes(data: Data("no clip at all".utf8), trustRoots: []) }
        try await fails("Storage") { try verifyFile(path: clip.path + ".gone", trustRoots: [root]) }
    }

    func testNotificationsOpenWithoutAStore() async throws {
        let keys = NotificationKeys(secret: Data(count: 32), hub: Data(count: 32))
        try await fails("Invalid") { try openNotification(keys: keys, payload: Data("hello".utf8), nowMs: 0) }
        try await fails("Invalid") { try openNotification(keys: NotificationKeys(secret: Data(count: 5), hub: Data(count: 32)), payload: Data(), nowMs: 0) }
        // The right version and length, sealed by nobody.
        try await fails("Tampered") { try openNotification(keys: keys, payload: Data([1]) + Data(count: 1663), nowMs: 0) }
    }

    func testCallsThatNeedAHomeSaySo() async throws {
        let client = try await phone("homeless").open()
        try await fails("NotPaired") { try await client.cameras() }
        try await fails("NotPaired") { try await client.openLive(cameraId: nobody, format: .fmp4, bufferMs: 500) }
        try await fails("NotPaired") { try await client.registerPush(target: .apns(token: "00", topic: "app", sandbox: true)) }
        try await fails("NotPaired") { try await client.notificationKeys() }
        let paired = try await client.status().paired
        XCTAssertFalse(paired)
    }

    func testAStoreIsOpenedByOneAtATimeAndUnderTheSameKey() async throws {
        let keys = Keys()
        let client = try await open("once", keys)
        try await fails("Busy") { try await self.open("once", keys) }
        try await client.shutDown()
        try await open("once", keys).shutDown()
        XCTAssertGreaterThanOrEqual(keys.labels.all.count, 2)
        XCTAssertEqual(1, Set(keys.labels.all).count)
    }

    func testAPersonWhoPressesCancelIsToldFromAKeystoreThatFails() async throws {
        struct ChipIsGone: Error {}
        let cancelled = CoreError.Keystore(reason: "no finger on the sensor", userCancelled: true)
        let error = try await fails("Keystore") { try await self.open("cancelled", Keys(cancelled)) }
        XCTAssertEqual(cancelled, error)
        let broken = try await fails("Keystore") { try await self.open("broken", Keys(ChipIsGone())) }
        guard case .Keystore(let reason, false) = broken else { return XCTFail("\(broken)") }
        XCTAssertTrue(reason.contains("ChipIsGone"), reason)
        // Neither left anything in the way of the next try, nor does one that could wrap and then not unwrap.
        for name in ["cancelled", "broken"] {
            try await open(name).shutDown()
            try await fails("Keystore") { try await self.open(name, Keys(cancelled)) }
            try await open(name).shutDown()
        }
    }

    func testAKeyThatIsLostIsSaidAndTheStoreCanBeBegunAnew() async throws {
        let store = folder.appendingPathComponent("reset").path
        let client = try await open("reset")
        try await fails("Busy") { try startOver(storageDir: store) }
        try await client.shutDown()
        try await fails("KeyLost") { try await self.open("reset", Keys(CoreError.KeyLost(reason: "the chip was reset"))) }
        try startOver(storageDir: store)
        let anew = try await open("reset")
        let paired = try await anew.status().paired
        XCTAssertFalse(paired)
        try await anew.shutDown()
    }
}
