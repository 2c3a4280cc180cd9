import HomeCore
import Privet
import SwiftUI

/// Where in the app the person is.
enum Place: Hashable {
    case live(String)
    case timeline(String?)
    case clip(String)
    case devices
    case settings
}

struct RootView: View {
    @Bindable var holder: CoreHolder

    var body: some View {
        switch holder.opened {
        case .not: ProgressView("Opening")
        case .failed(let advice):
            if advice.then == .startOver {
                ProblemView(advice: advice, button: "Start over", action: holder.startOver)
            } else {
                ProblemView(advice: advice, button: "Try again", action: holder.openAgain)
            }
        case .ready(let home, let model): HomeView(holder: holder, home: home, model: model)
        }
    }
}

private struct HomeView: View {
    @Bindable var holder: CoreHolder
    let home: any Home
    let model: HomeModel
    /// A phone is a member before the person has compared the numbers; that is still to be done.
    @State private var pairing = false

    var body: some View {
        Group {
            if model.status == nil {
                if let problem = model.problem {
                    ProblemView(advice: problem, button: "Try again", action: model.refresh)
                } else {
                    ProgressView("Reading")
                }
            } else if pairing || !model.paired {
                PairView(home: home, removed: model.status?.removed == true) { pairing = false }
            } else {
                NavigationStack(path: $holder.way) {
                    CamerasView(model: model).navigationDestination(for: Place.self, destination: destination)
                }
            }
        }
        .onChange(of: model.status.map { !$0.paired }, initial: true) { _, unpaired in if unpaired == true { pairing = true } }
    }

    @ViewBuilder private func destination(_ place: Place) -> some View {
        switch place {
        case .live(let id):
            if let camera = model.cameras.first(where: { $0.id == id }) {
                LiveView(home: home, camera: camera)
            } else {
                Text("This camera is not there any more.")
            }
        case .timeline(let camera): ClipsView(home: home, model: model, camera: camera)
        case .clip(let id): ClipView(home: home, clip: id)
        case .devices: DevicesView(home: home, model: model)
        case .settings: SettingsView(home: home, model: model)
        }
    }
}

private struct CamerasView: View {
    let model: HomeModel

    var body: some View {
        List {
            if let status = model.status {
                Section(status.hubName) {
                    Text([explain(status.link), status.linkReason].compactMap { $0 }.joined(separator: ": "))
                    // What could not be trusted is said here, not in a menu.
                    ForEach(status.alerts.suffix(3).reversed(), id: \.self) { Told(over: date($0.atMs), text: $0.what) }
                    ForEach(Array(model.news.reversed().enumerated()), id: \.offset) { Text($0.element) }
                }
            }
            Section("Cameras") {
                ForEach(model.cameras, id: \.id) { camera in
                    NavigationLink(value: Place.live(camera.id)) {
                        Told(over: camera.online ? "Live" : "Offline: clips are there", text: camera.name)
                    }
                    .swipeActions { NavigationLink("Clips", value: Place.timeline(camera.id)) }
                }
            }
            Section("Lately") {
                ForEach(model.lately, id: \.id) { event in
                    if let clip = event.clipId {
                        NavigationLink(value: Place.clip(clip)) { Told(over: date(event.atMs), text: event.title, under: event.body) }
                    } else {
                        Told(over: date(event.atMs), text: event.title, under: event.body)
                    }
                }
            }
        }
        .toolbar {
            NavigationLink("Clips", value: Place.timeline(nil))
            NavigationLink("Phones", value: Place.devices)
            NavigationLink("Settings", value: Place.settings)
        }
    }
}

private struct ClipsView: View {
    let home: any Home
    let model: HomeModel
    @State private var timeline: Timeline

    init(home: any Home, model: HomeModel, camera: String?) {
        (self.home, self.model) = (home, model)
        _timeline = State(initialValue: Timeline(home, camera: camera))
    }

    var body: some View {
        List {
            ForEach(timeline.rows()) { row in
                switch row {
                case .day(let date, _): Text(date.formatted(date: .complete, time: .omitted)).font(.headline)
                case .recorded(let clip): Recorded(home: home, clip: clip)
                }
            }
            if !timeline.whole {
                // Comes on the screen when all before it was scrolled through.
                ProgressView().task(id: timeline.clips.count) { await timeline.more() }
            }
            if let problem = timeline.problem { Text(problem.text) }
        }
        .navigationTitle("Clips")
        .refreshable { await timeline.refresh() }
        .onAppear { model.onEvent = { event in Task { await timeline.on(event) } } }
        .onDisappear { model.onEvent = nil }
    }
}

private struct Recorded: View {
    let home: any Home
    let clip: ClipInfo
    @State private var picture: UIImage?

    var body: some View {
        NavigationLink(value: Place.clip(clip.id)) {
            HStack {
                if let picture { Image(uiImage: picture).resizable().frame(width: 96, height: 54) }
                Told(over: clock(clip.startMs), text: facts)
            }
        }
        .disabled(!clip.finished)
        .task(id: clip.notes?.thumbnail) {
            guard clip.notes?.thumbnail == true, let thumbnail = try? await home.thumbnail(clip.id) else { return }
            picture = UIImage(data: thumbnail.bytes)
        }
    }

    private var facts: String {
        var facts = [clip.finished ? "\(clip.durationMs / 1000) s" : "is being recorded"]
        if case .verified = clip.trust { facts.append("checked") }
        if clip.notes?.pinned == true { facts.append("kept") }
        return (facts + (clip.notes?.zones ?? [])).joined(separator: ", ")
    }
}

private struct DevicesView: View {
    let home: any Home
    let model: HomeModel
    @State private var devices: [Device] = []
    @State private var number = ""
    @State private var leaving: Device?
    @State private var said = Said.kept

    var body: some View {
        List {
            ForEach(devices, id: \.id) { device in
                Told(over: device.fingerprint, text: device.thisDevice ? "\(device.name) (this one)" : device.name, under: "since \(date(device.addedMs))")
                    .swipeActions { Button("Remove", role: .destructive) { leaving = device } }
            }
            Told(over: "The hub shows the same number for this phone", text: number)
            SaidView(said: said)
        }
        .navigationTitle("Phones of this home")
        // Read again when somebody came or went.
        .task(id: model.news) { said = await say(read) }
        .alert("Remove \(leaving?.name ?? "")?", isPresented: .constant(leaving != nil), presenting: leaving) { device in
            Button("Remove", role: .destructive) {
                leaving = nil
                Task { said = await say { try await home.removeDevice(device.id); try await read() } }
            }
            Button("Keep", role: .cancel) { leaving = nil }
        } message: { _ in
            Text("It will see nothing that is recorded from then on. To come back it has to scan a code at the hub.")
        }
    }

    private func read() async throws {
        devices = try await home.devices()
        number = try await home.safetyNumber()
    }
}

private struct SettingsView: View {
    let home: any Home
    let model: HomeModel
    @State private var state: SettingsState?
    @State private var push = ""
    @State private var name = ""
    @State private var said = Said.kept

    var body: some View {
        List {
            SaidView(said: said)
            if let state {
                let wanted = state.pending ?? state.kept
                if state.pending != nil { Text("Waits for the hub") }
                Section("This phone") {
                    TextField("Its name", text: $name)
                    Button("Rename") { wish { try await home.rename(name) } }
                }
                Section("Tell me of motion") {
                    choice("Only when nobody is at home", wanted.awayOnly) { on in
                        wish {
                            var new = wanted
                            new.awayOnly = on
                            try await home.setSettings(new)
                        }
                    }
                    ForEach(Array(wanted.cameras.enumerated()), id: \.element.cameraId) { place, camera in
                        choice(model.cameras.first { $0.id == camera.cameraId }?.name ?? "A camera that is gone", camera.notify) { on in
                            wish {
                                var new = wanted
                                new.cameras[place].notify = on
                                try await home.setSettings(new)
                            }
                        }
                    }
                    Button("Quiet for an hour") {
                        wish { try await home.snooze(camera: nil, untilMs: Int64((Date().timeIntervalSince1970 + 3_600) * 1000)) }
                    }
                    Button("No longer quiet") { wish { try await home.snooze(camera: nil, untilMs: nil) } }
                }
                Section("This home") {
                    choice("Somebody is at home", wanted.profile != .away) { there in wish { try await home.setProfile(there ? .home : .away) } }
                }
            }
            if let status = model.status {
                Section("How it is") {
                    Text("Relay \(status.relay)")
                    if !push.isEmpty { Text(push) }
                    if let notifications = status.notifications { Text(notifications) }
                    Text("\(status.cacheBytes / 1_048_576) MiB of clips here")
                    ForEach(status.alerts.reversed(), id: \.self) { Told(over: date($0.atMs), text: $0.what) }
                }
            }
        }
        .navigationTitle("Settings")
        .task {
            said = await say {
                state = try await home.settings()
                name = try await home.devices().first { $0.thisDevice }?.name ?? ""
            }
            _ = await say {
                let info = try await home.pushInfo()
                push = info.registered ? "Woken through \(info.target ?? "")" : "Not woken while asleep"
            }
        }
    }

    private func choice(_ what: String, _ on: Bool, _ set: @escaping (Bool) -> Void) -> some View {
        Toggle(what, isOn: Binding(get: { on }, set: set))
    }

    /// The wish, then what the hub makes of it: it may be kept, wait for the hub, or be refused.
    private func wish(_ work: @escaping @MainActor () async throws -> Void) {
        Task {
            said = await say(work)
            _ = await say { state = try await home.settings() }
        }
    }
}

// MARK: Parts

struct ProblemView: View {
    let advice: Advice
    let button: String
    let action: () -> Void

    var body: some View {
        VStack(spacing: 16) {
            Text(advice.text).font(.headline)
            if !advice.detail.isEmpty { Text(advice.detail).font(.footnote) }
            Button(button, action: action).buttonStyle(.borderedProminent)
        }
        .padding()
        .multilineTextAlignment(.center)
    }
}

private struct Told: View {
    let over: String
    let text: String
    var under = ""

    var body: some View {
        VStack(alignment: .leading) {
            Text(over).font(.caption).foregroundStyle(.secondary)
            Text(text)
            if !under.isEmpty { Text(under).font(.caption) }
        }
    }
}

private struct SaidView: View {
    let said: Said

    var body: some View {
        switch said {
        case .kept: EmptyView()
        case .waits(let place): Text("Waits: \(place)")
        case .failed(let advice): Text("\(advice.text) \(advice.detail)")
        }
    }
}

func clock(_ ms: Int64) -> String { Date(timeIntervalSince1970: Double(ms) / 1000).formatted(date: .omitted, time: .standard) }
func date(_ ms: Int64) -> String { Date(timeIntervalSince1970: Double(ms) / 1000).formatted(date: .abbreviated, time: .standard) }
