import BackgroundTasks
import Foundation
import HomeCore
import Network
import Observation
import Privet
import UIKit
import UserNotifications

/// What the screens have: nothing yet, the home, or a reason.
enum Opened {
    case not
    case ready(any Home, HomeModel)
    case failed(Advice)
}

/// The one client of this process, for the screen, the refresh in the background and new push tokens.
@MainActor @Observable
final class CoreHolder {
    static let shared = CoreHolder()
    nonisolated static let refresh = "app.privet.example.sync"

    private(set) var opened = Opened.not
    /// From the cameras to where the person is; kept while nobody looks, and set by a tap on a notification.
    var way: [Place] = []

    private let door = Doorkeeper(open: CoreHolder.open)
    private let network = NWPathMonitor()
    private var model: HomeModel?
    private var looking: Task<Void, Never>?
    private var left: Task<Void, Never>?

    private init() {
        try? setLogSink(sink: SystemLog(), least: .info)
        network.pathUpdateHandler = { [weak self] path in
            if path.status == .satisfied { Task { @MainActor [weak self] in self?.networkChanged() } }
        }
        network.start(queue: .main)
    }

    // MARK: The screen

    func activate() {
        guard looking == nil else { return }
        let before = left
        looking = Task {
            await before?.value
            await onScreen()
        }
    }

    /// Lets go of the store before the system suspends this process; it is asked for the seconds that takes.
    func leave() {
        guard let was = looking else { return }
        (looking, left) = (nil, was)
        var assertion = UIBackgroundTaskIdentifier.invalid
        assertion = UIApplication.shared.beginBackgroundTask { UIApplication.shared.endBackgroundTask(assertion) }
        scheduleRefresh()
        was.cancel()
        Task {
            await was.value
            UIApplication.shared.endBackgroundTask(assertion)
        }
    }

    func openAgain() {
        looking = nil
        activate()
    }

    /// The store is damaged or its key is lost, and the person wants to pair anew.
    func startOver() {
        SharedKeys.forget()
        do {
            try Privet.startOver(storageDir: Self.storage.path)
            openAgain()
        } catch {
            opened = .failed(advice(error))
        }
    }

    private func onScreen() async {
        do {
            try await door.use { home in try await self.show(home) }
        } catch is CancellationError {
            opened = .not
        } catch {
            opened = .failed(advice(error))
        }
    }

    /// Returns when it is cancelled: nobody looks any more.
    private func show(_ home: any Home) async throws {
        let model = model ?? HomeModel(home) { notification in
            SharedKeys.desk.deliver(notification) { CoreHolder.post($0) }
        }
        self.model = model
        model.onPaired = { [weak self] in Task { await self?.makeWakeable(home) } }
        if model.paired { model.onPaired?() }
        model.start()
        defer { model.stop() }
        opened = .ready(home, model)
        while true { try await Task.sleep(for: .seconds(3_600)) }
    }

    private func networkChanged() {
        if case .ready(let home, _) = opened { home.networkChanged() }
    }

    // MARK: Being woken

    /// What a notification needs, and where this phone is woken. Tokens change: asked for at every start.
    private func makeWakeable(_ home: any Home) async {
        _ = await say { try SharedKeys.write(try await home.notificationKeys()) }
        guard (try? await UNUserNotificationCenter.current().requestAuthorization(options: [.alert, .sound])) == true else { return }
        UIApplication.shared.registerForRemoteNotifications()
    }

    func wakeAt(_ token: Data) {
        #if DEBUG
        let sandbox = true
        #else
        let sandbox = false
        #endif
        let text = token.map { String(format: "%02x", $0) }.joined()
        let target = PushTarget.apns(token: text, topic: Bundle.main.bundleIdentifier ?? "", sandbox: sandbox)
        Task { try? await door.use { try await $0.registerPush(target) } }
    }

    func scheduleRefresh() {
        let request = BGAppRefreshTaskRequest(identifier: Self.refresh)
        request.earliestBeginDate = Date(timeIntervalSinceNow: 15 * 60)
        try? BGTaskScheduler.shared.submit(request)
    }

    /// Tells the library what the extension showed, and catches up.
    func sync() async {
        scheduleRefresh()
        _ = try? await door.use { await HomeCore.sync($0, SharedKeys.desk, budgetMs: 8_000) { CoreHolder.post($0) } }
    }

    /// What came over the connection; the event's id is the system's, so the same event takes its own place.
    nonisolated private static func post(_ decision: NotificationDecision) {
        let content = UNMutableNotificationContent()
        switch decision {
        case .show(let card):
            fill(content, card, rings: true)
            UNUserNotificationCenter.current().add(UNNotificationRequest(identifier: card.id, content: content, trigger: nil))
        case .replace(let card):
            fill(content, card, rings: false)
            UNUserNotificationCenter.current().add(UNNotificationRequest(identifier: card.id, content: content, trigger: nil))
        case .drop: break
        }
    }

    // MARK: The store

    /// Of this app alone, and in no backup: its key is in this phone's Secure Enclave.
    nonisolated private static let storage = URL.applicationSupportDirectory.appending(path: "home")

    @Sendable nonisolated private static func open() async throws -> any Home {
        var folder = storage
        do {
            try FileManager.default.createDirectory(
                at: folder, withIntermediateDirectories: true,
                attributes: [.protectionKey: FileProtectionType.completeUntilFirstUserAuthentication]
            )
            var values = URLResourceValues()
            values.isExcludedFromBackup = true
            try folder.setResourceValues(values)
        } catch {
            throw CoreError.Storage(reason: error.localizedDescription)
        }
        let version = Bundle.main.object(forInfoDictionaryKey: "CFBundleShortVersionString") as? String ?? ""
        let name = await UIDevice.current.name
        let config = Config(storageDir: folder.path, deviceName: name, cacheLimitMib: 512, appVersion: version)
        return PrivetHome(try await Client.open(config: config, keys: KeychainWrapper()))
    }
}
