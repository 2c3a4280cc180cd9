import HomeCore
import Privet
import Testing

@MainActor
struct PairingTests {
    private let hub = FakeHome()
    private let pairing: Pairing
    private let offer = Offer(qr: "PRIVET1:A", relay: "relay:1", hubFingerprint: "ab12", expiresMs: 0)

    init() {
        let offer = offer
        hub.offers = { _ in offer }
        hub.pairs = { _ in }
        pairing = Pairing(hub)
    }

    @Test("a code is looked at, then joined, then the number is compared in groups of five")
    func goes() async {
        pairing.scanned("PRIVET1:A")
        #expect(pairing.step == .confirm(offer))
        await pairing.join()
        #expect(pairing.step == .compare(["12345", "67890", "11111", "22222"]))
    }

    @Test("another thing's code leaves the viewfinder open")
    func others() {
        hub.offers = { _ in throw CoreError.Pairing(kind: .notPrivet, reason: "why") }
        pairing.scanned("https://example.org")
        #expect(pairing.step == .scan(hint: "This is not a Privet code. Scan the one that your hub shows."))
    }

    @Test("a silent hub is asked again with the same code")
    func again() async {
        hub.pairs = { _ in throw CoreError.Pairing(kind: .hubSilent, reason: "30 s") }
        pairing.scanned("PRIVET1:A")
        await pairing.join()
        #expect(pairing.step == .failed(advice(.hubSilent, "30 s"), offer))
        hub.pairs = { _ in }
        await pairing.join()
        #expect(pairing.step == .compare(["12345", "67890", "11111", "22222"]))
    }

    @Test("a code that is used up is not tried again")
    func used() async {
        hub.pairs = { _ in throw CoreError.Pairing(kind: .used, reason: "used") }
        pairing.scanned("PRIVET1:A")
        await pairing.join()
        hub.pairs = { _ in }
        await pairing.join()
        #expect(pairing.step == .failed(advice(.used, "used"), offer))
        pairing.scanAgain()
        #expect(pairing.step == .scan(hint: nil))
    }
}
